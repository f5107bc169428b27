//! The keys of pipelines, stage totals, deals, their notes and their history.

use super::{
    Deal, DealChange, DealId, DealStatus, DefaultPipeline, Note, NoteId, Pipeline, PipelineId, StageId, StageTotals,
};
use crate::contacts::ContactId;
use crate::identity::ClientScope;
use crate::jobs::OwnedItem;
use crate::table::{Bounds, Entity, GSI1, GSI2, GSI3, GSI4, GSI5, IndexKey, Key, KeyPart, Layout, List, Partition};
use crate::users::UserId;
use crate::value::{Instant, Rank};

impl Entity for Deal {
    const LAYOUT: Layout = Layout::Document;

    fn index_keys(&self, key: &Key<Self>) -> Vec<IndexKey> {
        let Some(client) = key.client() else { return Vec::new() };
        let (id, fields) = (self.id, &self.fields);
        let always = [
            GSI1.key(client, of_stage(fields.stage_id), (status_digit(fields.status), &self.position, id)),
            GSI2.key(client, BY_CHANGE, (self.meta.updated_at, id)),
            GSI4.key(client, of_pipeline(fields.pipeline_id), id),
        ];
        let contact = fields.contact_id.map(|contact| GSI3.key(client, of_contact(contact), ("DEAL", id)));
        let assignee = fields.assigned_to_id.map(|user| GSI5.key(client, of_assignee(user), id));
        always.into_iter().chain(contact).chain(assignee).collect()
    }
}

impl Entity for DealChange {}
impl Entity for DefaultPipeline {}
impl Entity for Note {}
impl Entity for Pipeline {}
impl Entity for StageTotals {}

const BY_CHANGE: &str = "DEAL#UPD";

fn of_stage(stage: StageId) -> impl KeyPart {
    ("STAGE", stage)
}

fn of_pipeline(pipeline: PipelineId) -> impl KeyPart {
    ("PIPE", pipeline)
}

fn of_contact(contact: ContactId) -> impl KeyPart {
    ("CONTACT", contact)
}

fn of_assignee(user: UserId) -> impl KeyPart {
    ("USER", user)
}

/// The first part of a deal's sort key in its stage: open deals first.
const fn status_digit(status: DealStatus) -> char {
    match status {
        DealStatus::Open => '0',
        DealStatus::Won => '1',
        DealStatus::Lost => '2',
    }
}

impl ClientScope {
    /// The client's deals, oldest first.
    pub fn deals(self) -> Partition<Deal> {
        Partition::new(self, "DEAL")
    }

    /// One deal.
    pub fn deal(self, id: DealId) -> Key<Deal> {
        self.deals().item(id)
    }

    /// The client's deals that were changed at `since` or later, by their last change.
    pub fn deals_by_change(self, since: Instant) -> List<Deal> {
        self.deals().all().by(&GSI2, self, BY_CHANGE).bounded(Bounds::From(since.to_string()))
    }

    /// The deals of a stage by position, open deals first; with a status, only those.
    pub fn deals_of_stage(self, stage: StageId, status: Option<DealStatus>) -> List<Deal> {
        let bounds = status.map_or(Bounds::None, |status| Bounds::Prefix(format!("{}#", status_digit(status))));
        self.deals().all().by(&GSI1, self, of_stage(stage)).bounded(bounds)
    }

    /// The deals of a stage after a position among the deals of a status.
    ///
    /// The deals of the next statuses follow.
    pub fn deals_behind(self, stage: StageId, status: DealStatus, position: &Rank) -> List<Deal> {
        // `$` is the next character after `#`, and sorts before every character of a position.
        let from = Bounds::From(format!("{}#{position}$", status_digit(status)));
        self.deals().all().by(&GSI1, self, of_stage(stage)).bounded(from)
    }

    /// The deals of a pipeline, oldest first.
    pub fn deals_of_pipeline(self, pipeline: PipelineId) -> List<Deal> {
        self.deals().all().by(&GSI4, self, of_pipeline(pipeline))
    }

    /// The deals that are assigned to a user, oldest first.
    pub fn deals_of_assignee(self, user: UserId) -> List<Deal> {
        self.deals().all().by(&GSI5, self, of_assignee(user))
    }

    /// The deals of a contact, oldest first.
    pub fn deals_of_contact(self, contact: ContactId) -> List<Deal> {
        self.deals().all().by(&GSI3, self, of_contact(contact)).bounded(Bounds::Prefix("DEAL#".to_owned()))
    }

    /// The history of a deal, oldest change first.
    pub fn deal_history(self, deal: DealId) -> Partition<DealChange> {
        Partition::new(self, ("DEAL", deal, "HISTORY"))
    }

    /// The change that made a version of a deal.
    pub fn deal_change(self, deal: DealId, version: u64) -> Key<DealChange> {
        self.deal_history(deal).item(format!("{version:010}"))
    }

    /// The notes of a deal, oldest first.
    pub fn notes(self, deal: DealId) -> Partition<Note> {
        Partition::new(self, ("DEAL", deal, "NOTE"))
    }

    /// One note of a deal.
    pub fn note(self, deal: DealId, id: NoteId) -> Key<Note> {
        self.notes(deal).item(id)
    }

    /// The notes and the history of a deal.
    pub fn deal_children(self, deal: DealId) -> [Partition<OwnedItem>; 2] {
        [self.notes(deal).cast(), self.deal_history(deal).cast()]
    }

    /// The client's pipelines with their stages, oldest first.
    pub fn pipelines(self) -> Partition<Pipeline> {
        Partition::new(self, "PIPELINE")
    }

    /// One pipeline.
    pub fn pipeline(self, id: PipelineId) -> Key<Pipeline> {
        self.pipelines().item(id)
    }

    /// The client's default pipeline.
    pub fn default_pipeline(self) -> Key<DefaultPipeline> {
        Partition::new(self, "PIPELINE_DEFAULT").single()
    }

    /// The totals of a stage, which exist if and only if the stage exists.
    pub fn stage_totals(self, id: StageId) -> Key<StageTotals> {
        Partition::new(self, "STAGE").item(id)
    }
}
