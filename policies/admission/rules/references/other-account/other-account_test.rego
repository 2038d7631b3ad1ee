package admission.rules.references["other-account_test"]

import data.admission.rules.references["other-account"] as rule

request(own, service, account, complete) := {
	"request": {"context": {"account": own, "region": null}},
	"object": {},
	"references": [{"pointer": "/p", "service": service, "account": account, "complete": complete}],
}

test_another_account_is_a_finding[service] if {
	some service, variant in {"secretsmanager": "secret", "ssm": "parameter"}
	some complete in [true, null]
	expected := {{"at": "/p", "variant": variant}}
	rule.findings == expected with input as request("111122223333", service, "444455556666", complete)
}

test_the_account_of_a_role_counts_where_none_is_named if {
	role := {"executionRoleArn": "arn:aws:iam::111122223333:role/web"}
	found := object.union(request(null, "ssm", "444455556666", null), {"object": role})
	rule.findings == {{"at": "/p", "variant": "parameter"}} with input as found
}

test_the_same_account_is_none if {
	rule.findings == set() with input as request("111122223333", "ssm", "111122223333", null)
}

test_a_reference_without_an_account_is_none if {
	rule.findings == set() with input as request("111122223333", "ssm", null, null)
}

test_a_task_of_no_known_account_is_none if {
	rule.findings == set() with input as request(null, "ssm", "444455556666", null)
}

test_another_service_is_none if {
	rule.findings == set() with input as request("111122223333", "s3", "444455556666", null)
}

test_a_partial_arn_is_for_another_rule if {
	rule.findings == set() with input as request("111122223333", "secretsmanager", "444455556666", false)
}
