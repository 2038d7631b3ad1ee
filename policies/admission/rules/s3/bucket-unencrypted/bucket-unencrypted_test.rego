package admission.rules.s3["bucket-unencrypted_test"]

import data.admission.rules.s3["bucket-unencrypted"] as rule

request(field, service, fact) := {
	"references": [{"pointer": "/p", "field": field, "service": service}],
	"facts": [object.union({"kind": "reference", "pointer": "/p"}, fact)],
}

test_an_object_in_a_bucket_without_encryption_is_a_finding[field] if {
	some field in ["application", "environmentFiles", "firelensOption"]
	rule.findings == {{"at": "/p"}} with input as request(field, "s3", {"encrypted": false})
}

test_an_encrypted_bucket_is_none if {
	rule.findings == set() with input as request("application", "s3", {"encrypted": true})
}

test_what_nobody_knows_is_said_once if {
	expected := {{"at": "", "variant": "unknown"}}
	rule.findings == expected with input as request("environmentFiles", "s3", {})
	twice := {
		"references": [
			{"pointer": "/p", "field": "environmentFiles", "service": "s3"},
			{"pointer": "/q", "field": "environmentFiles", "service": "s3"},
		],
		"facts": [{"kind": "reference", "pointer": "/p"}, {"kind": "reference", "pointer": "/q"}],
	}
	rule.findings == expected with input as twice
}

test_another_service_is_none if {
	rule.findings == set() with input as request("application", "ssm", {"encrypted": false})
	rule.findings == set() with input as request("application", "ssm", {})
}

test_another_field_is_none if {
	rule.findings == set() with input as request("credentialSpecs", "s3", {"encrypted": false})
}

test_another_kind_of_fact_is_none if {
	rule.findings == set() with input as request("application", "s3", {"kind": "volume", "encrypted": false})
}
