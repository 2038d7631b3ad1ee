package admission.rules.plaintext.unscanned_test

import data.admission.rules.plaintext.unscanned

literal(field, detector) := {
	"pointer": "/p",
	"field": field,
	"kind": "text",
	"signals": [{"detector": detector, "rule": "length", "confidence": "high"}],
}

test_what_was_cut_off_is_a_finding_wherever_it_stands[field] if {
	some field in ["environment", "command", "logOption", "unknown"]
	unscanned.findings == {{"at": "/p"}} with input.literals as [literal(field, "unscanned")]
}

test_what_was_scanned_is_none if {
	unscanned.findings == set() with input.literals as [literal("environment", "name")]
}
