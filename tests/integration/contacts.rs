//! Contacts of a client.

use harness::world::World;
use serde_json::json;

#[tokio::test]
async fn an_admin_builds_the_tree_down_to_a_contact() {
    let world = World::new().await;
    let admin = world.admin().await;
    let tenant = admin.post("/v1/tenants").json(json!({ "name": "Northwind" })).created().await;
    let agency =
        admin.post(&format!("{}/agencies", tenant.location())).json(json!({ "name": "Bright" })).created().await;
    let client =
        admin.post(&format!("{}/clients", agency.location())).json(json!({ "name": "Bakery" })).created().await;
    let contacts = format!("{}/contacts", client.location());
    let contact = admin.post(&contacts).json(json!({ "firstName": "Ada", "lastName": "Lovelace" })).created().await;
    let read = admin.get(contact.location()).is(200).await;
    assert_eq!(read.body, contact.body);
}
