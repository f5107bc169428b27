"use strict";
// Accepts an invitation or resets a password with the token of the mail, then signs in.
const { api, path, field } = document.body.dataset;
const result = document.getElementById("result");

const post = async (route, body) => {
  const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(api + route, request);
  const answer = response.status === 204 ? {} : await response.json();
  if (!response.ok) {
    const details = (answer.errors || []).map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`);
    throw new Error([answer.detail, ...details].join(" "));
  }
  return answer;
};

const onSubmit = (id, send) => {
  document.getElementById(id).addEventListener("submit", (event) => {
    event.preventDefault();
    send(Object.fromEntries(new FormData(event.target))).catch((error) => {
      result.textContent = error.message;
    });
  });
};

onSubmit("password", async ({ password }) => {
  const token = new URLSearchParams(location.search).get("token") || "";
  await post(path, { token, [field]: password });
  document.getElementById("password").hidden = true;
  document.getElementById("sign-in").hidden = false;
  result.textContent = "The password is set.";
});

onSubmit("sign-in", async (credentials) => {
  const { user } = await post("/v1/auth/login", credentials);
  document.getElementById("sign-in").hidden = true;
  result.textContent = `Signed in as ${user.firstName} ${user.lastName} (${user.role}).`;
});
