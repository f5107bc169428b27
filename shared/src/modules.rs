//! The list of modules that store items or have jobs.

#[cfg(test)]
mod data_model;

use crate::jobs::JobRegistry;
#[cfg(test)]
use crate::table::data_model::{AccessPattern, Samples};
use crate::{appointments, contacts, deals, references};
#[cfg(test)]
use crate::{jobs, mail, reminders, table, tenants, users, web, widgets};

/// Defines the functions that go through all modules.
macro_rules! modules {
    ($($module:ident { $(items: $access_patterns:path;)? $(jobs: $register:path;)? })*) => {
        /// The jobs of all modules.
        pub fn jobs() -> JobRegistry {
            let mut registry = JobRegistry::default();
            $($($register(&mut registry);)?)*
            registry
        }

        /// The access patterns of all modules.
        #[cfg(test)]
        fn access_patterns(samples: &Samples) -> Vec<(&'static str, Vec<AccessPattern>)> {
            vec![$($((stringify!($module), $access_patterns(samples)),)?)*]
        }
    };
}

modules! {
    table { items: table::data_model::access_patterns; }
    web { items: web::data_model::access_patterns; }
    jobs { items: jobs::data_model::access_patterns; }
    tenants { items: tenants::data_model::access_patterns; }
    mail { items: mail::data_model::access_patterns; }
    users { items: users::data_model::access_patterns; }
    contacts { items: contacts::data_model::access_patterns; jobs: contacts::jobs::register; }
    deals { items: deals::data_model::access_patterns; jobs: deals::jobs::register; }
    reminders { items: reminders::data_model::access_patterns; }
    appointments { items: appointments::data_model::access_patterns; jobs: appointments::jobs::register; }
    references { jobs: references::register; }
    widgets { items: widgets::data_model::access_patterns; }
}
