#!/usr/bin/env bash
# Tour of the API. Start the local server with make run, then run infra/tour.sh in another terminal.
# Prerequisites: curl and jq. Settings: API, ADMIN_EMAIL, ADMIN_PASSWORD.
# Exits with 1 at the first unexpected result. The commands below can also be pasted into bash or zsh.
case $- in *i*) ;; *) set -eu ;; esac

API="${API:-http://localhost:3000}"
ADMIN_EMAIL="${ADMIN_EMAIL:-admin@example.com}"
ADMIN_PASSWORD="${ADMIN_PASSWORD:-upzento-demo-admin}"
ANSWER="$(mktemp)"
trap "rm -f \"$ANSWER\"" EXIT
AUTH="accept: application/json"
JSON="content-type: application/json"

step() {
  printf "\n== %s\n" "$1"
}

fail() {
  printf "FAILED: %s\n" "$1" >&2
  return 1
}

call() {
  method="$1" url="$API$2" expected="$3"
  shift 3
  code="$(curl -sS -o "$ANSWER" -w "%{http_code}" -X "$method" "$url" -H "$AUTH" "$@")" || code="no answer"
  printf "%s %s: %s\n" "$method" "$url" "$code"
  [ ! -s "$ANSWER" ] || jq . "$ANSWER" 2>/dev/null || cat "$ANSWER"
  [ "$code" = "$expected" ] || fail "expected the status $expected"
}

field() {
  jq -er "$1" "$ANSWER" || fail "the answer has no $1"
}

step "Check the prerequisites: curl and jq"
command -v curl
command -v jq

step "Sign in as the admin of the platform"
LOGIN="$(jq -nc --arg email "$ADMIN_EMAIL" --arg password "$ADMIN_PASSWORD" "{email: \$email, password: \$password}")"
call POST /v1/auth/login 200 -H "$JSON" -d "$LOGIN"
AUTH="authorization: Bearer $(field .accessToken)"
call GET /v1/auth/me 200

step "Create a tenant, an agency and a client"
call POST /v1/tenants 201 -H "$JSON" -d "{\"name\": \"Tour\"}"
TENANT="$(field .id)"
call POST "/v1/tenants/$TENANT/agencies" 201 -H "$JSON" -d "{\"name\": \"Guides\"}"
AGENCY="$(field .id)"
call POST "/v1/agencies/$AGENCY/clients" 201 -H "$JSON" \
  -d "{\"name\": \"Harbor Cafe\", \"timeZone\": \"Europe/Lisbon\", \"currency\": \"EUR\", \"country\": \"PT\"}"
CLIENT="/v1/clients/$(field .id)"

step "Create a contact"
call POST "$CLIENT/contacts" 201 -H "$JSON" \
  -d "{\"firstName\": \"Ada\", \"lastName\": \"Lovelace\", \"email\": \"ada@example.com\"}"
CONTACT="$(field .id)"

step "Update the contact, if its version is still 1"
call PATCH "$CLIENT/contacts/$CONTACT" 200 -H "$JSON" -H "if-match: \"1\"" -d "{\"jobTitle\": \"Analyst\"}"

step "Bad input: all errors are reported at once"
call POST "$CLIENT/contacts" 422 -H "$JSON" -d "{\"firstName\": \"\", \"email\": \"no email\", \"fristName\": \"Ada\"}"

step "Create a pipeline with the default stages"
call POST "$CLIENT/pipelines" 201 -H "$JSON" -d "{\"name\": \"Catering\"}"
PIPELINE="$(field .id)"
SECOND_STAGE="$(field ".stages[1].id")"

step "Create a deal in the first stage"
call POST "$CLIENT/deals" 201 -H "$JSON" \
  -d "{\"title\": \"Summer party\", \"value\": 1250.5, \"contactId\": \"$CONTACT\"}"
DEAL="$(field .id)"

step "Move the deal to the second stage"
call POST "$CLIENT/deals/$DEAL/move" 200 -H "$JSON" -d "{\"stageId\": \"$SECOND_STAGE\"}"

step "Show the board"
call GET "$CLIENT/pipelines/$PIPELINE/board" 200

step "Create a service, and a staff member who works every day"
call POST "$CLIENT/services" 201 -H "$JSON" \
  -d "{\"name\": \"Tasting\", \"duration\": 60, \"slotInterval\": 60, \"bufferAfter\": 15}"
SERVICE="$(field .id)"
call POST "$CLIENT/staff" 201 -H "$JSON" -d "{\"name\": \"Rui Costa\", \"email\": \"rui@example.com\", \"weeklyHours\":
  [{\"days\": [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"], \"start\": \"10:00\", \"end\": \"18:00\"}]}"
STAFF="$(field .id)"

step "Show the free slots of the coming week, in the time zone of New York"
FROM="$(jq -rn "now + 86400 | strftime(\"%Y-%m-%dT00:00:00Z\")")"
TO="$(jq -rn "now + 8 * 86400 | strftime(\"%Y-%m-%dT00:00:00Z\")")"
SLOTS="$CLIENT/availability?serviceId=$SERVICE&from=$FROM&to=$TO"
call GET "$SLOTS&timeZone=America/New_York" 200
START="$(field ".slots[0].start")"

step "Book the first slot"
BOOKING="{\"serviceId\": \"$SERVICE\", \"startTime\": \"$START\", \"contactId\": \"$CONTACT\"}"
call POST "$CLIENT/appointments" 201 -H "$JSON" -d "$BOOKING"
APPOINTMENT="$(field .id)"

step "Book the same slot again: a conflict"
call POST "$CLIENT/appointments" 409 -H "$JSON" -d "$BOOKING"

step "Create a calendar feed for the staff member and read it without signing in"
call POST "$CLIENT/staff/$STAFF/calendar" 200
FEED="$(field .path)"
SIGNED_IN="$AUTH"
AUTH="accept: text/calendar"
call GET "$FEED" 200
grep -q "BEGIN:VEVENT" "$ANSWER" || fail "the calendar has no event"
AUTH="$SIGNED_IN"

step "Clean up"
call DELETE "$CLIENT/appointments/$APPOINTMENT" 204
call DELETE "$CLIENT/services/$SERVICE" 204
call DELETE "$CLIENT/staff/$STAFF" 204
call DELETE "$CLIENT/deals/$DEAL" 204
call DELETE "$CLIENT/pipelines/$PIPELINE" 204
call DELETE "$CLIENT/contacts/$CONTACT" 204
call DELETE "$CLIENT" 204
call DELETE "/v1/agencies/$AGENCY" 204
call DELETE "/v1/tenants/$TENANT" 204

printf "\nThe tour is complete.\n"
