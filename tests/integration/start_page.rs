//! The start page of the local server, and the hosts that it accepts.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::local_server::{Server, data_folder};

/// Sends a GET request with this `Host` header and returns the raw response.
async fn get(server: &Server, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the request is sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("a response");
    response
}

#[tokio::test]
async fn start_page_lists_links_and_accounts_that_can_sign_in() {
    let data = data_folder();
    let server = Server::start(data.path(), &[]).await;
    let page = get(&server, "/", &format!("localhost:{}", server.port)).await;
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("content-type: text/html; charset=utf-8"), "{page}");
    let links = ["/docs/", "/openapi.json", "/health", "/_local/outbox"].map(|path| format!("<a href=\"{path}\">"));
    for link in links {
        assert!(page.contains(&link), "{link} is missing in {page}");
    }
    for (email, password) in
        [("admin@example.com", "upzento-demo-admin"), ("client-user@bakery.example", "upzento-demo")]
    {
        assert!(page.contains(&format!("<code>{email}</code></td><td><code>{password}</code>")), "{page}");
        server.sign_in((email, password)).await;
    }
    assert!(page.contains(&format!("curl http://localhost:{}/v1/auth/login", server.port)), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn server_accepts_only_the_hosts_of_this_machine_and_configured_ones() {
    let data = data_folder();
    let server = Server::start(data.path(), &[("SEED", "empty"), ("ALLOWED_HOSTS", "crm.test")]).await;
    let port = server.port;
    for path in ["/", "/_local/outbox", "/health"] {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"] {
            let response = get(&server, path, &format!("{host}:{port}")).await;
            assert!(response.starts_with("HTTP/1.1 200 OK"), "{path} of {host}: {response}");
        }
        for host in ["evil.example", &format!("evil.example:{port}"), &format!("localhost.evil.example:{port}"), ""] {
            let response = get(&server, path, host).await;
            assert!(response.starts_with("HTTP/1.1 421 Misdirected Request"), "{path} of {host}: {response}");
        }
    }
    let health = get(&server, "/health", "crm.test").await;
    assert!(health.starts_with("HTTP/1.1 200 OK"), "{health}");
    server.stop().await;
}
