package admission.rules.logging["secret-option_test"]

import data.admission.rules.logging["secret-option"] as rule

literal(field, kind) := {
	"pointer": "/p",
	"field": field,
	"kind": kind,
	"signals": [{"detector": "name", "rule": "token", "confidence": "high"}],
}

test_a_secret_among_the_log_options_is_a_finding if {
	rule.findings == {{"at": "/p"}} with input.literals as [literal("logOption", "opaque")]
}

test_a_harmless_option_is_none if {
	rule.findings == set() with input.literals as [literal("logOption", "boolean")]
}

test_a_secret_elsewhere_is_none if {
	rule.findings == set() with input.literals as [literal("environment", "opaque")]
}
