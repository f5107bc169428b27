//! What stages hold, counted in the transactions that change it.

use aws_sdk_dynamodb::types::AttributeValue;

use super::Transaction;
use super::item::value;
use crate::entity::{PipelineId, StageId, StageTotals, StageTotalsChange};
use crate::keys::Key;
use crate::value::Id;
use crate::{Problem, Result};

/// Of a stage to which no other is being emptied.
const ALONE: &str = "(attribute_not_exists(inbound) OR inbound = :none)";

impl Transaction {
    /// Adds to a stage's tally. If deals come to the stage, `of` names the pipeline of which it must be, and it must not be on its way
    /// out; `otherwise` says what it means if that is not so, or if it is gone.
    pub fn tally(
        &mut self,
        stage: &Key<StageTotals>,
        change: &StageTotalsChange,
        of: Option<PipelineId>,
        otherwise: Problem,
    ) -> Result<()> {
        let additions = change.additions();
        let open = "pipelineId = :pipeline AND attribute_not_exists(movesTo)";
        let condition = if of.is_some() { open } else { "attribute_exists(pk)" };
        let terms: Vec<_> = (0..additions.len()).map(|at| format!("#a{at} :a{at}")).collect();
        let mut update = self
            .change(stage)
            .condition_expression(condition)
            .update_expression(format!("ADD {}", terms.join(", ")))
            .set_expression_attribute_values(of.map(|pipeline| [(":pipeline".to_owned(), text(pipeline))].into()));
        for (at, (name, number)) in additions.into_iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#a{at}"), name)
                .expression_attribute_values(format!(":a{at}"), AttributeValue::N(number.to_string()));
        }
        self.add(update, |_| Ok(otherwise))
    }

    /// Lets no deal come to a stage any more, because it is deleted once those that it holds are moved to another; `409 not_empty` while
    /// others are moved to it.
    pub fn vacate(&mut self, stage: &Key<StageTotals>, to: StageId) -> Result<()> {
        let update = self
            .change(stage)
            .condition_expression(format!("attribute_exists(pk) AND attribute_not_exists(movesTo) AND {ALONE}"))
            .update_expression("SET movesTo = :to")
            .expression_attribute_values(":to", text(to))
            .expression_attribute_values(":none", number(0));
        self.add(update, |there| {
            let there: Option<StageTotals> = there.map(value).transpose()?;
            Ok(there.filter(|there| there.inbound > 0).map_or_else(Problem::stale, |_| awaits()))
        })
    }

    /// Deletes the tally of a stage that holds nothing: `409 not_empty` if it does, and while deals of another stage are moved to it.
    pub fn close_stage(&mut self, stage: &Key<StageTotals>) -> Result<()> {
        let not_empty = "It still holds deals. Delete those first, or say with moveTo where they go.";
        self.close_tally(stage, 0, Problem::conflict("not_empty", not_empty))
    }

    /// Deletes the tally of a stage that so many deals leave in the same transaction: stale if that are not all. `409 not_empty` while
    /// deals of another stage are moved to it.
    pub fn close_left_stage(&mut self, stage: &Key<StageTotals>, left: u64) -> Result<()> {
        self.close_tally(stage, left, Problem::stale())
    }

    fn close_tally(&mut self, stage: &Key<StageTotals>, holding: u64, otherwise: Problem) -> Result<()> {
        let delete = self
            .deletion(stage)
            .condition_expression(format!("n = :holding AND {ALONE}"))
            .expression_attribute_values(":holding", number(holding))
            .expression_attribute_values(":none", number(0));
        self.add(delete, move |there| {
            let there: Option<StageTotals> = there.map(value).transpose()?;
            Ok(there.map_or_else(Problem::stale, |there| if there.inbound > 0 { awaits() } else { otherwise }))
        })
    }
}

fn awaits() -> Problem {
    Problem::conflict("not_empty", "Deals of a stage that is being deleted are on their way here. Try again later.")
}

fn text<T>(id: Id<T>) -> AttributeValue {
    AttributeValue::S(id.to_string())
}

fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}
