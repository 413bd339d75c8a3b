//! What every database must do, as tests that know only the port.
//!
//! A database passes by implementing [`Place`] and naming itself in [`suite!`]. What only
//! one database can do (being killed, being full) is tested beside that database.

pub(crate) mod advance;
pub(crate) mod batches;
pub(crate) mod census;
pub(crate) mod ends;
pub(crate) mod feeding;
pub(crate) mod groups;
pub(crate) mod items;
pub(crate) mod notices;
pub(crate) mod races;
pub(crate) mod reads;
pub(crate) mod release;
pub(crate) mod retention;
pub(crate) mod submit;
pub(crate) mod sweeps;
pub(crate) mod views;

use std::fmt::Debug;
use std::future::Future;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Admission, GroupId, JobDraft, JobView, LegRecord, LegState, Store, StoreError, Submitted,
};
use mailfleet_store::{Config, Defaults};

use crate::{decisions, samples};

/// A way to have a store of one's own.
pub(crate) trait Place: Sized + Send + Sync {
    type Store: Store + Debug;

    /// An empty database; `None` where there can be none, after saying why.
    async fn start() -> Option<Self>;

    /// A gateway's store: each call is another gateway on the same database.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Runs SQL that no store would: time that has passed, rows that make no sense.
    fn meddle(&self, sql: &str) -> impl Future<Output = ()> + Send;

    /// A number that no store would tell.
    fn count(&self, sql: &str) -> impl Future<Output = i64> + Send;

    /// How SQL writes an id.
    fn id(&self, hex: &str) -> String;

    /// Removes what the test has left.
    async fn stop(self);
}

pub(crate) fn config() -> Config {
    Config::new(Defaults::all(samples::default_limits()))
}

/// Runs every test of the suite against one database.
macro_rules! suite {
    ($place:ty) => {
        $crate::conformance::suite!(@module submit $place:
            an_accepted_job_comes_back_whole,
            what_is_refused_leaves_nothing,
            a_repeated_request_is_recognised,
            the_same_settings_are_seen_while_the_first_job_is_open,
            legs_with_a_gate_are_blocked,
            legs_of_calm_groups_go_with_their_job,
            a_leg_that_may_not_go_with_its_job_is_corrupt,
            a_job_of_a_batch_that_is_not_the_tenants_is_corrupt,
            an_acceptance_against_what_was_seen_is_corrupt,
            a_job_has_legs_and_not_too_many,
            numbers_that_no_database_holds_are_bounded,
        );
        $crate::conformance::suite!(@module release $place:
            legs_are_released_in_the_order_chosen,
            only_waiting_legs_of_the_group_are_released,
            refused_legs_stay,
            a_leg_that_waits_is_seen_by_whoever_asks_after_it,
            a_group_that_nobody_named_has_nothing_to_release,
            tenants_take_turns,
            what_holds_a_group_is_kept_until_the_next_dispatch,
            a_confirmed_release_is_published,
            a_confirm_after_the_result_changes_nothing,
            a_confirm_of_another_dispatch_changes_nothing,
            recalled_legs_are_ready,
        );
        $crate::conformance::suite!(@module views $place:
            a_view_counts_what_is_out,
            a_view_has_the_oldest_legs_of_the_lanes_served_longest_ago,
            a_view_has_the_settings_and_what_is_known_of_logins,
            legs_of_paused_batches_are_left_out,
        );
        $crate::conformance::suite!(@module sweeps $place:
            what_was_not_published_comes_again,
            what_is_overdue_is_found,
            what_is_due_is_woken,
            waiting_groups_are_found,
            waiting_groups_come_in_the_order_of_their_last_dispatch,
            groups_whose_legs_all_belong_to_a_paused_batch_do_not_wait,
            jobs_past_their_deadline_are_found,
        );
        $crate::conformance::suite!(@module advance $place:
            an_unknown_job_is_nobodys,
            whole_rows_are_written,
            every_change_is_counted_once,
            the_last_try_stays_with_a_leg_that_waits_again,
            a_place_or_a_waiting_leg_wakes_its_group,
            a_refusal_is_noted_once_a_leg,
            what_a_decision_may_not_do_is_corrupt,
            a_decision_that_panics_leaves_nothing,
        );
        $crate::conformance::suite!(@module ends $place:
            a_job_that_ended_keeps_its_report,
            every_kind_of_end_comes_back,
            an_end_is_final,
        );
        $crate::conformance::suite!(@module reads $place:
            another_tenants_job_is_unknown,
            pages_have_the_newest_first,
            lists_are_filtered,
            versions_are_read_many_at_once,
            a_jobs_row_is_read_without_its_legs,
            usage_is_counted_by_class,
            the_clock_goes_on,
            names_that_make_no_sense_are_corrupt,
        );
        $crate::conformance::suite!(@module groups $place:
            a_group_without_settings_has_the_defaults,
            settings_are_kept_with_a_version,
            groups_of_all_zones_and_shards_are_listed_at_once,
            how_full_groups_are_is_told_of_all_at_once,
            legs_of_paused_batches_do_not_count_as_waiting,
            settings_are_those_of_every_zone_that_they_are_set_in,
            a_shard_lists_groups_with_settings_of_their_own,
        );
        $crate::conformance::suite!(@module batches $place:
            another_tenants_batch_is_unknown,
            a_resumed_batch_names_its_groups,
        );
        $crate::conformance::suite!(@module census $place:
            what_waits_is_counted_over_all_tenants,
            items_of_batches_are_counted_until_they_end,
            what_has_just_ended_is_counted,
        );
        $crate::conformance::suite!(@module items $place:
            an_upload_goes_on_where_it_broke_off,
            nothing_begins_before_the_upload_is_complete,
            a_wrong_upload_is_discarded,
            items_are_listed_and_summed_up,
            credentials_go_as_soon_as_an_item_cannot_begin_anew,
            another_tenants_items_are_unknown,
            an_old_batch_goes_with_its_items_once_it_has_ended,
            an_erased_tenants_batches_begin_nothing_more,
        );
        $crate::conformance::suite!(@module feeding $place:
            items_begin_as_the_decision_says,
            item_counters_equal_the_sum_of_the_items,
            one_login_is_open_once_over_all_batches,
            feeding_goes_round_the_domains,
            a_pause_holds_everything_and_uses_up_no_time,
            a_cancelled_batch_ends,
            what_failed_begins_anew_but_for_refused_logins,
            two_feeders_begin_each_item_once,
        );
        $crate::conformance::suite!(@module notices $place:
            the_end_of_a_job_is_told_once,
            a_batch_tells_its_turns_and_its_items_ends,
            what_is_not_committed_is_not_told,
            readers_go_on_where_they_were,
            places_given_by_several_are_seen_in_their_order,
            one_gateway_publishes_at_a_time,
            what_a_dead_gateway_held_is_handed_out_again,
            old_notices_are_forgotten_and_that_is_told,
            what_waits_to_be_published_is_kept_longer,
            an_erased_tenants_notices_are_gone,
        );
        $crate::conformance::suite!(@module retention $place:
            old_jobs_are_deleted,
            young_and_open_jobs_stay,
            old_refusals_are_forgotten,
            a_tenant_is_erased_wholly,
            an_erased_tenant_may_begin_anew,
        );
        $crate::conformance::suite!(@module races $place:
            two_submissions_of_one_request_make_one_job,
            two_submissions_with_the_same_settings_make_one_job,
            legs_that_end_at_once_end_the_job_once,
            a_cancel_and_a_result_do_not_both_win,
            dispatchers_together_keep_to_the_window,
            submissions_together_keep_to_the_window,
            sweepers_share_the_rows,
            purges_and_ends_keep_the_counters,
            a_dropped_call_leaves_everything_or_nothing,
        );
    };
    (@module $module:ident $place:ty: $($name:ident,)+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                use $crate::conformance::{Place, $module};
                let Some(place) = <$place>::start().await else { return };
                $module::$name(&place).await;
                place.stop().await;
            })+
        }
    };
}
pub(crate) use suite;

/// Stores a job that must be accepted.
pub(crate) async fn submit(store: &impl Store, draft: &JobDraft) -> Vec<GroupId> {
    let Submitted { admission, released, wake } =
        store.submit(draft, decisions::accept).await.unwrap();
    assert!(matches!(admission, Admission::Accept { .. }), "{admission:?}");
    assert!(released.is_empty(), "nothing was to go at once");
    wake
}

/// Releases up to `window` legs of a group.
pub(crate) async fn release(store: &impl Store, key: &str, window: u32) -> Vec<LegRecord> {
    store.release(&samples::group(key), decisions::up_to(window)).await.unwrap().0
}

/// A job of `crm` with its legs.
pub(crate) async fn read(store: &impl Store, number: u128) -> JobView {
    let view = store.job(&samples::crm(), samples::job(number)).await.unwrap();
    view.expect("a job")
}

/// The states of a job's legs.
pub(crate) async fn states(store: &impl Store, number: u128) -> Vec<LegState> {
    read(store, number).await.legs.iter().map(|leg| leg.leg.state).collect()
}

/// The numbers of jobs.
pub(crate) fn numbers(jobs: impl IntoIterator<Item = JobId>) -> Vec<u128> {
    jobs.into_iter().map(|job| job.0.as_u128()).collect()
}

#[track_caller]
pub(crate) fn assert_corrupt<T>(result: Result<T, StoreError>) {
    match result {
        Err(StoreError::Corrupt { .. }) => {}
        Err(error) => panic!("not corrupt: {error:?}"),
        Ok(_) => panic!("not corrupt, but done"),
    }
}
