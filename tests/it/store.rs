//! What every engine of the store must do. The cases are functions over a [`lab::Factory`]; the list
//! below runs each on every engine.

use std::sync::Arc;

use switchboard::clock;
use switchboard::schedule::Limits;
use switchboard::store::embedded::{Embedded, Settings};
use switchboard::store::memory::{Kept, Memory};
use switchboard::store::shared::settings::Settings as Rules;
use switchboard::tenant::quotas::Quotas;

use self::lab::{Factory, Opened, Options};

mod admin;
mod arrivals;
mod damage;
mod failures;
mod files;
mod handoffs;
mod kept;
pub mod lab;
mod merged;
mod opt_outs;
mod owners;
mod people;
mod quotas;
mod random;
mod reads;
mod receipts;
mod say;
mod sends;
mod space;
mod templates;
mod turns;
mod unread;
mod ways;

/// redb files in a directory of their own.
pub struct Files {
    directory: tempfile::TempDir,
    options: Options,
}

impl Files {
    pub fn new(options: Options) -> Self {
        Files { directory: tempfile::tempdir().expect("a temporary directory"), options }
    }

    pub fn settings(&self) -> Settings {
        let options = &self.options;
        Settings {
            path: self.directory.path().join("switchboard.redb"),
            backups: self.directory.path().join("backups"),
            called: String::new(),
            cache_bytes: 16 << 20,
            queue: 4096,
            verify: true,
            reserve: options.reserve.clone(),
            rules: options.rules(),
            keys: lab::test_keys(),
            vitals: Default::default(),
        }
    }

    fn embedded(&self) -> Embedded {
        Embedded::open(self.settings()).expect("the file opens")
    }
}

impl Factory for Files {
    fn open(&self) -> Opened {
        let store = Arc::new(self.embedded());
        Opened { store: store.clone(), file: Some(store) }
    }
}

/// What a process in memory leaves to the next.
pub struct InMemory {
    kept: Kept,
    options: Options,
}

impl InMemory {
    pub fn new(options: Options) -> Self {
        InMemory { kept: Kept::default(), options }
    }
}

impl Factory for InMemory {
    fn open(&self) -> Opened {
        let (rules, clock) = (self.options.rules(), Arc::new(clock::now));
        let store = Memory::open(self.kept.clone(), rules, lab::test_keys(), [7; 32], clock);
        Opened { store: Arc::new(store.expect("it opens")), file: None }
    }
}

impl Options {
    fn rules(&self) -> Rules {
        Rules {
            prefixes: vec!["start_realty_".into()],
            notice: self.notice.then(|| "Please open your agent's link.".into()),
            notice_every_ms: 24 * 3_600_000,
            coalesce_ms: self.coalesce_ms,
            quotas: self.quotas,
            timer_floor_ms: 0,
            turns_per_tenant: self.turns_per_tenant,
            sends: self.sends,
            fetches: self.fetches,
        }
    }
}

fn with(quotas: Quotas) -> Options {
    Options { quotas, ..Options::default() }
}

/// One test a case and engine, on a store of its own.
macro_rules! suite {
    ($($module:ident { $($case:ident $(($options:expr))?),* $(,)? })*) => {
        mod in_a_file {
            use super::*;
            cases! { Files: $($module { $($case $(($options))?),* })* }
        }

        mod in_memory {
            use super::*;
            cases! { InMemory: $($module { $($case $(($options))?),* })* }
        }
    };
}

macro_rules! cases {
    ($engine:ident: $($module:ident { $($case:ident $(($options:expr))?),* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                #[allow(unused_mut, unused_assignments, reason = "most cases take the usual options")]
                let mut options = Options::default();
                $(options = $options;)?
                $module::$case(&$engine::new(options)).await;
            }
        )*)*
    };
}

suite! {
    ways {
        a_message_is_followed_by_all_its_names,
        a_turn_that_died_and_its_second_try_are_one_way,
        messages_of_one_turn_share_its_replies(Options { coalesce_ms: 500, ..Options::default() }),
        what_no_brain_answers_is_followed_too,
        a_number_of_its_own_and_an_address_are_reasons,
    }
    unread {
        what_cannot_be_read_is_kept_within_bounds,
        reports_that_cannot_be_read_are_given_up_first,
    }
    arrivals {
        a_duplicate_gets_the_first_answer,
        what_is_ignored_is_a_duplicate_too,
        two_links_at_once_make_one_lock,
        a_conflict_is_counted_and_audited_once,
        a_dedicated_sender_decides_by_itself,
        an_unknown_sender_is_refused,
        a_stranger_is_told_once_a_day(Options { notice: true, ..Options::default() }),
        a_link_that_names_no_tenant_is_told_of_too(Options { notice: true, ..Options::default() }),
        what_was_ignored_is_forgotten_in_time,
        aliases_lead_to_one_contact,
        two_locks_of_one_person_become_one,
        a_human_is_not_answered_by_the_brain,
        an_ended_conversation_opens_again,
        a_window_counts_from_when_the_contact_wrote,
    }
    turns {
        messages_come_in_order_of_provider_time,
        a_conversation_runs_one_turn_at_a_time,
        tenants_take_turns(Options { turns_per_tenant: 4, ..Options::default() }),
        a_turn_is_committed_as_a_whole,
        a_turn_is_committed_once,
        entries_of_another_conversation_are_refused,
        a_retry_keeps_its_place_and_its_seed,
        a_dead_turn_falls_back_once,
        messages_that_come_together_make_one_turn(Options { coalesce_ms: 500, ..Options::default() }),
        a_conversation_of_a_number_that_is_switched_off_is_called,
        a_turn_that_is_tried_later_is_called_by_no_change_of_a_sender,
        timers_become_turns,
        timers_survive_a_restart_and_are_replaced_by_key,
        a_hand_off_takes_what_waits_out_of_the_brains_hands,
        what_was_claimed_is_claimed_again_after_a_start,
        a_started_turn_stands_alone(Options { coalesce_ms: 500, ..Options::default() }),
    }
    sends {
        replies_leave_in_order,
        senders_take_turns(Options { sends: Limits { per_tenant: 2, ..Options::default().sends }, ..Options::default() }),
        a_later_send_waits_and_holds_those_behind_it,
        the_dead_and_the_unknown_hold_nobody,
        a_send_cut_off_in_the_middle_is_unknown,
        receipts_move_forward_only,
        a_receipt_may_overtake_the_answer,
        what_ended_can_be_retried_and_dropped,
        a_settlement_is_written_once,
        what_was_claimed_and_not_begun_is_simply_sent,
        what_is_postponed_waits_in_memory_only,
        what_is_held_back_is_settled_without_an_attempt,
        what_has_gone_does_not_begin,
        what_went_out_instead_is_in_the_history,
        the_occasion_is_kept_until_an_operator_asks,
        what_waits_for_the_morning_goes_before_an_answer,
        a_brain_hears_of_the_death_of_its_words,
        only_a_brain_hears_of_its_own_words,
    }
    admin {
        unlocking_separates_the_tenants,
        an_import_refuses_conflicts,
        locks_are_paged_in_key_order,
        leads_are_shared_inside_an_organization_only,
        collections_are_replaced_whole,
        what_is_put_is_there_after_a_start,
        what_contradicts_is_refused,
        everything_is_audited_without_secrets,
        sessions_go_forward,
        what_is_past_its_time_is_removed,
        what_was_given_up_goes_in_its_time,
        what_ended_goes_before_its_line,
    }
    handoffs {
        a_hand_back_tells_what_was_said,
        a_human_takes_over_by_itself,
        a_first_message_that_waits_is_heard_by_who_takes_over,
        a_refusal_costs_nobody_else_anything,
        a_conversation_has_few_timers,
        what_is_cancelled_does_not_ring,
        a_lead_does_not_grow_without_end,
        receipts_become_turns_where_they_are_wanted,
        what_waited_for_a_human_is_taken_in_together,
    }
    merged {
        what_was_merged_twice_keeps_all_its_lines,
        what_left_under_an_old_key_ends_under_the_new_one,
    }
    people {
        everything_of_two_keys_becomes_one_persons,
        what_waits_goes_on_under_the_one_key,
        only_what_is_proved_is_merged,
        a_merge_by_hand_is_undone,
        who_was_told_apart_stays_apart,
        what_is_under_way_survives_a_merge,
        two_replies_on_their_way_are_settled_once_each,
        a_chain_of_merges_loses_nothing,
        a_human_keeps_what_becomes_one,
        a_dedicated_senders_conversations_become_one,
        hidden_ids_are_asked_for_once,
        hidden_ids_that_were_asked_for_are_forgotten,
        a_stranger_may_be_somebody_we_know(Options { notice: true, ..Options::default() }),
        the_tenant_that_answers_is_the_one_that_keeps_the_lock,
        an_opt_out_survives_a_merge,
    }
    owners {
        a_number_that_is_given_away_takes_nothing_along,
        an_owner_changes_by_its_own_verb_alone,
        who_lost_a_contact_writes_to_it_no_more,
        an_echo_never_crosses,
    }
    say {
        a_tenants_number_has_no_say_in_anothers_contacts,
        a_tenants_number_has_its_say_in_its_own_contacts,
        nobody_is_claimed_in_advance,
        a_hidden_id_stays_hidden_from_others,
        a_tenant_that_gets_a_person_has_all_it_kept_of_it,
        what_was_unlocked_is_not_given_back,
    }
    receipts {
        a_receipt_finds_its_reply_by_any_id,
        our_own_name_resolves_what_was_unknown,
        a_name_may_come_back_as_the_id,
        what_did_not_arrive_is_listed,
        each_attempt_has_its_name,
        a_refusal_of_the_contact_is_an_opt_out,
        what_a_human_types_on_the_phone_is_kept,
        our_own_replies_are_not_kept_twice,
        an_echo_is_compared_with_the_newest_alone,
        an_echo_that_looks_different_is_taken_out_again,
        what_sent_it_tells_whose_an_echo_is,
        an_address_names_the_tenant_of_what_was_typed,
    }
    opt_outs {
        a_word_is_kept_and_confirmed,
        what_is_an_opt_out,
        a_stranger_who_wants_nothing_is_told_nothing(Options { notice: true, ..Options::default() }),
        operators_set_and_lift_opt_outs,
        a_providers_switch_is_heeded,
        a_providers_word_is_lifted_by_the_next_message,
        what_is_told_late_undoes_nothing,
        the_first_advertisement_is_the_leads_source,
    }
    reads {
        history_pages_both_ways,
        listings_narrow_and_stop,
        no_tenant_reads_anothers,
        a_conversation_shows_what_waits,
        the_journal_shows_what_a_turn_did,
        watchers_are_woken,
        large_entries_are_read_page_by_page,
        one_is_found_by_its_id,
        settled_is_what_has_nothing_to_do,
    }
    templates {
        a_template_has_one_owner_at_an_account,
        what_is_told_of_a_template_is_kept,
        a_name_counts_where_an_id_is_not_known,
        what_was_told_before_the_answer_stays,
        sent_templates_are_listed_with_their_outcome,
        a_templates_text_is_not_audited,
    }
    files {
        a_file_waits_from_the_commit_of_its_message,
        a_humans_own_picture_is_a_file_too,
        the_simulator_shows_stored_files,
        a_file_ends_once,
        a_tenant_has_so_much_room(Options {
            quotas: Quotas { file_bytes: 100, files: 3, ..Quotas::default() },
            ..Options::default()
        }),
        files_grow_old,
        one_tenants_files_keep_nobody_waiting(Options {
            fetches: Limits { in_all: 16, per_group: 4, per_tenant: 16 },
            ..Options::default()
        }),
        files_wait_for_room(with(Quotas { file_bytes: 100, ..Quotas::default() })),
        no_room_no_files(with(Quotas { file_bytes: 100, ..Quotas::default() })),
    }
    quotas {
        turns_over_the_minutes_quota_wait(with(Quotas { turns_per_minute: 3, ..Quotas::default() })),
        a_clock_set_back_and_a_raised_quota_let_turns_go_on(with(Quotas {
            turns_per_minute: 3,
            ..Quotas::default()
        })),
        a_days_quota_survives_a_restart(with(Quotas { turns_per_day: 3, fuel_per_day: 100, ..Quotas::default() })),
        fuel_counts_whatever_came_of_the_turn(with(Quotas { fuel_per_day: 20, ..Quotas::default() })),
        timers_that_set_themselves_wait_for_a_word(with(Quotas { turns_unprompted: 5, ..Quotas::default() })),
        a_human_in_between_gives_timers_nothing(with(Quotas { turns_unprompted: 5, ..Quotas::default() })),
        a_merge_does_not_wake_timers(with(Quotas { turns_unprompted: 5, ..Quotas::default() })),
        collections_have_a_number_and_a_size(with(Quotas {
            collections: 2,
            collection_bytes: 400,
            ..Quotas::default()
        })),
        the_journal_is_bounded_and_keeps_the_newest(with(Quotas {
            journal_bytes: 20_000,
            journal_bytes_per_minute: 4_000,
            ..Quotas::default()
        })),
        the_oldest_lines_go_first(with(Quotas { history_bytes: 3_000, ..Quotas::default() })),
        a_number_of_its_own_is_told_to_wait(with(Quotas { waiting_turns: 2, ..Quotas::default() })),
        what_is_counted_by_the_hour_is_refused_until_it_frees(with(Quotas {
            uploads_per_hour: 2,
            ..Quotas::default()
        })),
    }
    kept {
        replies_that_ended_are_given_up_oldest_first(with(Quotas {
            ended_replies_bytes: 4_000,
            ..Quotas::default()
        })),
        the_oldest_dead_turns_go_first(with(Quotas { dead_turns_bytes: 4_000, ..Quotas::default() })),
        the_oldest_sent_templates_go_first(with(Quotas { template_use_bytes: 2_000, ..Quotas::default() })),
        turns_wait_while_the_history_piles_up(with(Quotas { history_bytes: 3_000, ..Quotas::default() })),
        a_slice_of_large_lines_is_not_the_last(with(Quotas { history_bytes: 1_000_000, ..Quotas::default() })),
        timers_have_a_size_together(with(Quotas { timer_bytes: 1_000, ..Quotas::default() })),
        large_timers_ring_in_parts(with(Quotas { turns_unprompted: 100, ..Quotas::default() })),
        a_conversation_too_many_does_not_begin(with(Quotas { conversations: 2, ..Quotas::default() })),
        a_brain_does_not_remember_without_end(with(Quotas {
            conversation_bytes: 2_000,
            ..Quotas::default()
        })),
        opt_outs_have_a_number(with(Quotas { opt_outs: 2, ..Quotas::default() })),
    }
    random { counters_are_true_after_anything }
}
