package admission.rules.references["partial-arn-of-other-account_test"]

import data.admission.rules.references["partial-arn-of-other-account"] as rule

request(own, account, complete) := {
	"request": {"context": {"account": own, "region": null}},
	"object": {},
	"references": [{"pointer": "/p", "account": account, "complete": complete}],
}

test_a_partial_arn_of_another_account_is_a_finding if {
	rule.findings == {{"at": "/p"}} with input as request("111122223333", "444455556666", false)
}

test_a_full_arn_is_none[complete] if {
	some complete in [true, null]
	rule.findings == set() with input as request("111122223333", "444455556666", complete)
}

test_the_same_account_is_none if {
	rule.findings == set() with input as request("111122223333", "111122223333", false)
}

test_a_task_of_no_known_account_is_none if {
	rule.findings == set() with input as request(null, "444455556666", false)
}
