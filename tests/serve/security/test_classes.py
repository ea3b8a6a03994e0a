"""Where the test of each class of fault stands: what other programs of this kind have been found to do, and what real life does to one.

A reader finds the test here, and a test that is renamed or removed is missed here.
"""

import functools
import re

import pytest

from tests.conftest import ROOT

HERE = "serve/security/test_"
# A class, with advisories that others had for it: the tests, by file and the beginning of their names.
CLASSES = {
    "a command in a name (CVE-2024-52803)": [f"{HERE}calls:test_a_name_is_a_name"],
    "a pickle that is loaded (CVE-2025-32434, CVE-2025-53002, CVE-2025-46567, CVE-2023-47248)": [
        f"{HERE}files:test_nothing_that_is_uploaded_is_executed", "runs/test_checkpoints:test_what_nobody_vouched_for",
    ],
    "code of a model (CVE-2026-58116, CVE-2026-4372)": ["hub/test_remote_code:test_", "hub/test_hub:test_"],
    "loader flags of a request (CVE-2025-12488)": [
        f"{HERE}calls:test_no_call_says_how", "studio/test_pass_through:test_it_is_refused_before",
    ],
    "a server that fetches, by a message (CVE-2025-61784)": [f"{HERE}calls:test_no_address_in_a_message"],
    "a server that fetches, by a name or a file (CVE-2026-28416)": [
        f"{HERE}calls:test_no_address_that_is_given", "ui/test_gradio_ways:test_no_address",
    ],
    "a server that fetches, by a route (CVE-2024-47167, CVE-2026-48545)": [f"{HERE}requests:test_nothing_is_fetched"],
    "entities and links of a file (XXE)": [f"{HERE}calls:test_no_address_that_stands_in_a_file"],
    "files by a route (CVE-2023-51449, CVE-2024-0964, CVE-2026-28414)": [f"{HERE}files:test_no_file_is_handed_out"],
    "files by a payload (CVE-2021-43831, CVE-2024-47868)": [f"{HERE}files:test_no_function_takes_a_file"],
    "a path in a name (CVE-2026-35050, CVE-2023-1177)": [
        f"{HERE}files:test_no_upload_lies_anywhere", "data/test_data_library:test_an_id_is_no_path",
    ],
    "an archive that leaves its folder": [f"{HERE}files:test_no_archive_puts"],
    "bombs (CVE-2024-10569, CVE-2025-63914)": [f"{HERE}files:test_a_file_that_unfolds", "data/test_corpus:test_a_bomb_through_the_child"],
    "forms without an end (CVE-2024-8966)": [f"{HERE}files:test_a_form_that_is_none", "ui/test_gradio_ways:test_all_parts_of_an_upload"],
    "bodies without a bound": [f"{HERE}files:test_a_body_that_is_too_large", "serve/test_visitors:test_what_does_not_go_through"],
    "nested JSON": [f"{HERE}files:test_a_body_in_which_lists"],
    "patterns without an end (CVE-2024-10624)": [f"{HERE}calls:test_no_pattern", "data/test_sources:test_a_pattern_cannot_keep"],
    "templates without an end": ["tokens/test_endless:test_a_template", "engine/test_strangers:test_"],
    "scripts in uploads (CVE-2024-47872)": [f"{HERE}files:test_a_page_that_is_uploaded"],
    "markup in names, rows and answers": ["ui/test_view:test_nothing_from_outside_is_markup", "browser/test_canaries:test_"],
    "formulas in tables (CVE-2022-24770)": [f"{HERE}files:test_no_cell_is_computed"],
    "reading across origins (CVE-2024-47084)": [f"{HERE}requests:test_no_answer_may_be_read", "ui/test_gradio_ways:test_no_other_origin"],
    "forged requests (CVE-2024-1727)": [f"{HERE}requests:test_no_page_of_another_site", f"{HERE}requests:test_nobody_is_logged_out"],
    "rebinding of names": [f"{HERE}requests:test_another_name"],
    "open redirects (CVE-2026-28415)": [f"{HERE}requests:test_no_address_of_ours", f"{HERE}requests:test_signing_in_and_out"],
    "an account that anybody can sign (CVE-2026-27167)": [f"{HERE}requests:test_an_account", "serve/test_hosted:test_a_visitor_is_who"],
    "hijacked websockets": [f"{HERE}requests:test_no_socket"],
    "smuggled requests": [f"{HERE}requests:test_a_request_is_never_read_as_two"],
    "headers by input": [f"{HERE}requests:test_what_a_visitor_sends"],
    "frames, guessed types, remote images": [f"{HERE}requests:test_every_answer_says"],
    "other methods": [f"{HERE}calls:test_a_method"],
    "lines of a log": [f"{HERE}calls:test_nothing_that_is_sent_writes"],
    "somebody else by a name that is sent": [f"{HERE}calls:test_nobody_is_somebody_else"],
    "open to the network by default": [f"{HERE}starting:test_alone_the_page_listens"],
    "a public link without a password (CVE-2023-25823)": [
        "serve/test_doors:test_nobody_else_comes_in", "serve/test_share:test_by_a_public_link",
    ],
    "guessed passwords": ["serve/test_doors:test_wrong_passwords"],
    "private and hidden functions that are called": ["serve/test_crossing:test_hostile_calls_without", "ui/test_fuzz:test_hostile_calls"],
    "another's runs, data, files and sessions": ["serve/test_crossing:test_no_try", "serve/test_visitors:test_a_session_is_nobody"],
    "routes that a new version brings": ["serve/test_routes:test_every_other_route", "ui/test_page:test_named_endpoints"],
    "tokens in files, logs and answers": [
        "test_cli:test_no_file_of_a_run_holds_the_token", "hub/test_push:test_", "serve/test_sign_in:test_",
    ],
    "the owner's token for somebody else": [
        "data/test_sources:test_a_visitor_never_carries", "studio/test_owners:test_folders_of_the_machine",
    ],
    "forged sessions and open streams": ["serve/test_patience:test_ten_thousand_forged", "ui/test_page:test_sessions_that_anybody"],
    "slow connections": ["serve/test_patience:test_what_does_not_arrive"],
}  # fmt: skip
FAULTS = {
    "a tab that is closed": ["browser/test_while_it_runs:test_"],
    "a run that is killed": ["engine/learn/test_kills:test_"],
    "a program that is killed": ["serve/test_load:test_a_run_whose_program_is_killed"],
    "a program that is told to end": ["engine/learn/test_sigterm:test_the_app_s_run_is_saved"],
    "a disk that is full": ["engine/learn/test_disk:test_a_full_disk", "studio/test_home:test_a_full_disk"],
    "memory that runs out": ["engine/learn/test_memory:test_once", "engine/learn/test_memory:test_what_a_step_held"],
    "numbers that are none": ["engine/learn/test_train:test_a_diverged_run"],
    "twenty starts at once": ["engine/learn/test_twenty:test_"],
    "a stop in the middle of a save": ["engine/learn/test_stops:test_stop_in_a_save"],
    "a checkpoint that is not whole": [
        "runs/test_checkpoints:test_the_newest_that_verifies", "runs/test_checkpoints:test_a_manifest_that_never",
    ],
    "files that are none": ["data/test_corpus:test_a_file_gets_its_verdict", "data/test_fuzz:test_any_file"],
    "words that tables change": ["data/test_nothing_vanishes:test_every_value"],
    "answers that are all cut": ["tokens/test_labels:test_nothing_to_learn_is_refused"],
    "a network that is cut": ["data/test_sources:test_cut_at_half", "hub/test_hub:test_"],
    "chat and deletion beside a run": ["ui/test_api:test_chat_is_answered_beside", "data/test_data_library:test_data_in_use"],
    "fifty pages": ["serve/test_load:test_fifty_pages"],
    "a clock that changes": ["runs/test_checkpoints:test_the_clock", "runs/test_store:test_the_queue_follows"],
    "a taken port, a second page": [f"{HERE}starting:test_a_port", f"{HERE}starting:test_a_second_page"],
    "a folder that cannot be read": ["runs/test_disk:test_a_run_that_cannot_be_read", "runs/test_store:test_one_broken_folder"],
    "storage that does not last, lent cards": ["test_settings:test_the_storage_of_a_space", "studio/test_quotas:test_lent_cards"],
}  # fmt: skip


@functools.cache
def kept_in(file: str) -> list[str]:
    return re.findall(r"^def (test_\w+)", (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("kind", [*CLASSES, *FAULTS])
def test_each_class_has_its_test(kind: str) -> None:
    for place in {**CLASSES, **FAULTS}[kind]:
        file, _, name = place.partition(":")
        assert [one for one in kept_in(file) if one.startswith(name)], place
