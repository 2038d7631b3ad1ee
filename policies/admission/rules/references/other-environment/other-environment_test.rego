package admission.rules.references["other-environment_test"]

import data.admission.rules.references["other-environment"] as rule

request(environment, resource, complete) := {
	"request": {"context": {"environment": environment}},
	"references": [{"pointer": "/p", "resource": resource, "complete": complete, "problem": null}],
}

test_the_name_of_another_environment_is_a_finding[resource] if {
	some resource in ["/prod/web/db", "prod/web/db", "web/production/db", "bucket/live/web.env", "/Prod/DBServer/MySQL"]
	rule.findings == {{"at": "/p"}} with input as request("dev", resource, null)
}

test_it_is_a_finding_the_other_way_round[resource] if {
	some resource in ["/dev/web/db", "/development/web", "/staging/web", "/stg/web", "/test/web", "/qa/web"]
	rule.findings == {{"at": "/p"}} with input as request("prod", resource, null)
}

test_the_name_of_the_environment_is_none[environment] if {
	some environment, resource in {
		"prod": "/live/web/db",
		"staging": "/stage/web/db",
		"test": "/testing/web/db",
		"dev": "/development/web/db",
	}
	rule.findings == set() with input as request(environment, resource, null)
}

test_the_first_segment_decides if {
	rule.findings == set() with input as request("prod", "/prod/web/test", null)
	rule.findings == {{"at": "/p"}} with input as request("test", "/prod/web/test", null)
}

test_only_whole_segments_count[resource] if {
	some resource in ["/web/dev-tools", "devices/web", "DevTest/MyApp/db", "prod-web-dev"]
	rule.findings == set() with input as request("prod", resource, null)
}

test_the_characters_that_aws_adds_are_no_part_of_the_name if {
	rule.findings == {{"at": "/p"}} with input as request("prod", "web/db/dev-AbCdEf", true)
	rule.findings == set() with input as request("prod", "web/db/dev-master", null)
	rule.findings == set() with input as request("prod", "web/db/devices", false)
}

test_a_request_of_no_known_environment_is_none[environment] if {
	some environment in [null, "sandbox"]
	rule.findings == set() with input as request(environment, "/prod/web/db", null)
}

test_an_environment_without_segments_is_none if {
	conventions := {"environments": {"dev": [], "prod": ["prod"]}}
	rule.findings == set() with input as request("dev", "/prod/web/db", null)
		with data.config.conventions as conventions
}

test_a_reference_that_does_not_parse_is_none if {
	found := {"pointer": "/p", "resource": null, "complete": null, "problem": "empty"}
	request := {"request": {"context": {"environment": "prod"}}, "references": [found]}
	rule.findings == set() with input as request
}
