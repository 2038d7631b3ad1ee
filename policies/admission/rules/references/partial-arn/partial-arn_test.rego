package admission.rules.references["partial-arn_test"]

import data.admission.rules.references["partial-arn"] as rule

request(own, reference) := {
	"request": {"context": {"account": own, "region": null}},
	"object": {},
	"references": [object.union({"pointer": "/p", "account": "111122223333"}, reference)],
}

secret(region, complete) := {"service": "secretsmanager", "region": region, "complete": complete}

test_a_partial_arn_is_a_finding[own] if {
	some own in ["111122223333", null]
	expected := {{"at": "/p", "variant": "partial"}}
	rule.findings == expected with input as request(own, secret("eu-central-1", false))
}

test_an_ambiguous_arn_is_a_finding[own] if {
	some own in ["111122223333", "444455556666", null]
	expected := {{"at": "/p", "variant": "ambiguous"}}
	rule.findings == expected with input as request(own, secret("eu-central-1", null))
}

test_a_full_arn_is_none if {
	rule.findings == set() with input as request("111122223333", secret("eu-central-1", true))
}

test_a_bare_name_is_none if {
	rule.findings == set() with input as request("111122223333", secret(null, null))
}

test_another_service_is_none if {
	found := object.union(secret("eu-central-1", null), {"service": "ssm"})
	rule.findings == set() with input as request("111122223333", found)
}

test_a_partial_arn_of_another_account_is_for_another_rule if {
	rule.findings == set() with input as request("444455556666", secret("eu-central-1", false))
}
