//! What stages hold, counted in the transactions that change it.

use aws_sdk_dynamodb::types::AttributeValue;

use super::Transaction;
use crate::entity::{PipelineId, Tally, TallyChange};
use crate::keys::Key;
use crate::{Problem, Result};

impl Transaction {
    /// Adds to a stage's tally. If deals come to the stage, `of` names the pipeline of which it must be; `otherwise` says what it means
    /// if it is not, or if it is gone.
    pub fn tally(
        &mut self,
        stage: &Key<Tally>,
        change: &TallyChange,
        of: Option<PipelineId>,
        otherwise: Problem,
    ) -> Result<()> {
        let additions = change.additions();
        let condition = if of.is_some() { "pipelineId = :pipeline" } else { "attribute_exists(pk)" };
        let terms: Vec<_> = (0..additions.len()).map(|at| format!("#a{at} :a{at}")).collect();
        let mut update = self
            .change(stage)
            .condition_expression(condition)
            .update_expression(format!("ADD {}", terms.join(", ")))
            .set_expression_attribute_values(
                of.map(|pipeline| [(":pipeline".to_owned(), AttributeValue::S(pipeline.to_string()))].into()),
            );
        for (at, (name, number)) in additions.into_iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#a{at}"), name)
                .expression_attribute_values(format!(":a{at}"), AttributeValue::N(number.to_string()));
        }
        self.add(update, |_| Ok(otherwise))
    }

    /// Deletes a stage's tally: `409 not_empty` if it holds a deal.
    pub fn close_stage(&mut self, stage: &Key<Tally>) -> Result<()> {
        let delete = self
            .deletion(stage)
            .condition_expression("n = :none")
            .expression_attribute_values(":none", AttributeValue::N("0".to_owned()));
        self.add(delete, |there| {
            let not_empty = "It still holds deals. Move or delete those first.";
            Ok(there.map_or_else(Problem::stale, |_| Problem::conflict("not_empty", not_empty)))
        })
    }
}
