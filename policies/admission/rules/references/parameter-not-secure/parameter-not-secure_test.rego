package admission.rules.references["parameter-not-secure_test"]

import data.admission.rules.references["parameter-not-secure"] as rule

request(field, service, known) := {
	"references": [{"pointer": "/a", "field": field, "service": service}],
	"facts": [object.union({"kind": "reference", "pointer": "/a"}, known)],
}

test_a_parameter_in_clear_is_a_finding[field] if {
	some field in ["secrets", "secretOptions", "fsxCredentials"]
	rule.findings == {{"at": "/a"}} with input as request(field, "ssm", {"secure": false})
}

test_a_secure_parameter_is_none if {
	rule.findings == set() with input as request("secrets", "ssm", {"secure": true})
}

test_what_is_not_known_is_one_finding if {
	rule.findings == {{"at": "", "variant": "unknown"}} with input as request("secrets", "ssm", {"exists": true})
}

test_another_service_is_none[known] if {
	some known in [{"secure": false}, {}]
	rule.findings == set() with input as request("secrets", "secretsmanager", known)
}

test_what_need_not_be_secret_is_none[known] if {
	some known in [{"secure": false}, {}]
	some field in ["credentialSpecs", "dockerSecurityOptions", "application"]
	rule.findings == set() with input as request(field, "ssm", known)
}
