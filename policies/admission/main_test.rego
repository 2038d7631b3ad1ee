package admission.main_test

import data.admission.main

rules := {"one": {
	"first": {"findings": {{"at": "/a"}, {"at": "/b", "variant": "v"}}},
	"second": {"findings": set()},
	"no-rule": {"helper": true},
}}

test_the_request_and_the_revision_are_echoed if {
	request := {"request": {"uid": "some-uid"}, "counts": {"literals": 0}}
	evaluation := main.evaluation with input as request with data.revision.id as "some-revision"
	evaluation.decisionId == "some-uid"
	evaluation.revision == "some-revision"
}

test_what_was_evaluated_and_found_is_told if {
	request := {"request": {"uid": "some-uid"}, "counts": {"literals": 0}}
	evaluation := main.evaluation with input as request with data.revision.id as "x" with data.admission.rules as rules
	evaluation.evaluated == {"one/first", "one/second"}
	count(evaluation.findings) == 2
}

test_without_request_or_revision_there_is_no_evaluation if {
	not main.evaluation with input.counts.literals as 0 with data.revision.id as "some-revision"
	not main.evaluation with input as {"request": {"uid": "some-uid"}, "counts": {"literals": 0}}
}

test_without_counts_nobody_knows_that_anything_was_looked_at if {
	not main.evaluation with input.request.uid as "some-uid" with data.revision.id as "some-revision"
}

test_every_rule_is_evaluated_and_nothing_else if {
	main.evaluated == {"one/first", "one/second"} with data.admission.rules as rules
}

test_a_finding_carries_the_id_of_its_rule if {
	expected := {{"rule": "one/first", "at": "/a"}, {"rule": "one/first", "at": "/b", "variant": "v"}}
	main.findings == expected with data.admission.rules as rules
}

test_a_rule_cannot_speak_for_another if {
	lying := {"one": {"first": {"findings": {{"at": "/a", "rule": "one/second"}}}}}
	main.findings == {{"rule": "one/first", "at": "/a"}} with data.admission.rules as lying
}

test_the_rules_that_ship_are_evaluated_on_nothing if {
	count(main.evaluated) > 10 with input as {}
	main.findings == set() with input as {}
}

test_a_rule_that_ships_is_found_through_main if {
	main.findings == {{"rule": "bounds/exceeded", "at": ""}} with input.counts.left_out as 1
}
