package admission.rules.rotation["not-rotated_test"]

import data.admission.rules.rotation["not-rotated"] as rule

request(service, known) := {
	"references": [{"pointer": "/a", "service": service, "problem": null}],
	"facts": [object.union({"kind": "reference", "pointer": "/a"}, known)],
}

test_a_secret_that_does_not_rotate_is_a_finding if {
	rule.findings == {{"at": "/a"}} with input as request("secretsmanager", {"rotates": false})
}

test_a_secret_that_rotates_is_none if {
	rule.findings == set() with input as request("secretsmanager", {"rotates": true})
}

test_what_is_not_known_is_one_finding if {
	rule.findings == {{"at": "", "variant": "unknown"}} with input as request("secretsmanager", {"exists": true})
}

test_what_cannot_rotate_is_none[service] if {
	some service in ["ssm", "s3"]
	rule.findings == set() with input as request(service, {"rotates": false})
	rule.findings == set() with input as request(service, {})
}
