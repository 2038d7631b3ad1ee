package admission.rules.registries["credentials-in-image_test"]

import data.admission.rules.registries["credentials-in-image"] as rule

literal(field, kind) := {
	"pointer": "/p",
	"field": field,
	"kind": kind,
	"signals": [{"detector": "name", "rule": "password", "confidence": "high"}],
}

test_a_secret_in_an_image_is_a_finding if {
	rule.findings == {{"at": "/p"}} with input.literals as [literal("image", "random")]
}

test_a_placeholder_in_an_image_is_none if {
	rule.findings == set() with input.literals as [literal("image", "placeholder")]
}

test_a_secret_elsewhere_is_none if {
	rule.findings == set() with input.literals as [literal("command", "random")]
}
