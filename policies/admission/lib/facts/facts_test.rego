package admission.lib.facts_test

import data.admission.lib.facts

found := [
	{"kind": "reference", "pointer": "/a", "status": "known", "exists": true},
	{"kind": "reference", "pointer": "/b", "status": "known", "exists": false},
	{"kind": "reference", "pointer": "/c", "status": "unavailable"},
	{"kind": "role", "pointer": "/d", "status": "known", "exists": false},
]

test_what_is_known_to_be_false_is_no_more_than_that if {
	facts.known("reference", "exists", false) == {"/b"} with input.facts as found
}

test_what_is_known_to_be_true_is_no_more_than_that if {
	facts.known("reference", "exists", true) == {"/a"} with input.facts as found
}

test_what_nobody_knows_is_unknown if {
	facts.unknown("reference", "exists") == {"/c"} with input.facts as found
}

test_another_attribute_is_unknown_for_all if {
	facts.unknown("reference", "rotates") == {"/a", "/b", "/c"} with input.facts as found
}
