//! The access patterns of pipelines, stages, deals, notes and the history of deals.

use serde_json::json;

use super::{Deal, DealStatus};
use crate::table::data_model::{AccessPattern, Samples};
use crate::value::Rank;

const VERSION: u64 = 1_234_567_890;

pub(crate) fn access_patterns(samples: &Samples) -> Vec<AccessPattern> {
    [deals(samples), pipelines(samples)].into_iter().flatten().collect()
}

fn deals(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id, changed) = (samples.client(), samples.id("deal"), samples.instant("updatedAt"));
    let (stage, pipeline) = (samples.id("stage"), samples.id("pipeline"));
    let (contact, user, note) = (samples.id("contact"), samples.id("user"), samples.id("note"));
    let position: Rank = "V0001".parse().unwrap();
    samples.placeholder(&position, "position");
    samples.placeholder(&VERSION, "version");
    let key = client.deal(id);
    let deal: Deal = Samples::item(json!({
        "id": id, "clientId": client.id(), "title": "Sample", "currency": "EUR", "stageId": stage,
        "pipelineId": pipeline, "assignedToId": user, "contactId": contact, "status": "OPEN", "position": position,
        "version": 1, "createdAt": changed, "updatedAt": changed,
    }));
    let [notes, history] = client.deal_children(id);
    let open = Some(DealStatus::Open);
    let behind = client.deals_behind(stage, DealStatus::Open, &position);
    vec![
        samples.single("a deal", "GetItem, BatchGetItem", &key),
        samples.query("deals by creation", client.deals(), &key),
        samples.query_index("deals changed since a time", &client.deals_by_change(changed), &deal, &key),
        samples.query_index(
            "deals of a stage by status (0 open, 1 won, 2 lost) and position",
            &client.deals_of_stage(stage, None),
            &deal,
            &key,
        ),
        samples.query_index("open deals of a stage by position", &client.deals_of_stage(stage, open), &deal, &key),
        samples.query_index("deals of a stage after a position", &behind, &deal, &key),
        samples.query_index("deals of a pipeline by creation", &client.deals_of_pipeline(pipeline), &deal, &key),
        samples.query_index("deals of a user by creation", &client.deals_of_assignee(user), &deal, &key),
        samples.query_index("deals of a contact by creation", &client.deals_of_contact(contact), &deal, &key),
        samples.single("a note", "GetItem", &client.note(id, note)),
        samples.query("notes of a deal by creation", client.notes(id), &client.note(id, note)),
        samples.query("history of a deal", client.deal_history(id), &client.deal_change(id, VERSION)),
        samples.query("keys of the notes of a deleted deal", notes, &client.note(id, note)),
        samples.query("keys of the history of a deleted deal", history, &client.deal_change(id, VERSION)),
    ]
}

fn pipelines(samples: &Samples) -> Vec<AccessPattern> {
    let (client, id) = (samples.client(), samples.id("pipeline"));
    vec![
        samples.single("a pipeline with its stages", "GetItem", &client.pipeline(id)),
        samples.query("pipelines by creation", client.pipelines(), &client.pipeline(id)),
        samples.single("the default pipeline", "GetItem", &client.default_pipeline()),
        samples.single("totals of a stage", "GetItem, BatchGetItem", &client.stage_totals(samples.id("stage"))),
    ]
}
