package admission.rules.logging["firelens-configuration_test"]

import data.admission.rules.logging["firelens-configuration"] as rule

place := "/containerDefinitions/0/firelensConfiguration/options"

router(options, more) := object.union(more, {"containerDefinitions": [{"firelensConfiguration": {"options": options}}]})

reference(field, problem) := [{
	"pointer": concat("/", [place, "config-file-value"]),
	"field": field,
	"problem": problem,
}]

on_s3 := {"config-file-type": "s3", "config-file-value": "<redacted>"}

in_image := {"config-file-type": "file", "config-file-value": "<redacted>"}

fargate := {"requiresCompatibilities": ["EC2", "FARGATE"]}

object_arn := reference("firelensOption", null)

test_fargate_fetches_nothing_from_s3 if {
	expected := {{"at": place, "variant": "fargate"}}
	rule.findings == expected with input as {"object": router(on_s3, fargate), "references": object_arn}
}

test_on_fargate_an_arn_alone_says_that_it_is_meant if {
	expected := {{"at": place, "variant": "fargate"}}
	hidden := [{"config-file-value": "<redacted>"}, {"config-file-type": "<redacted>", "config-file-value": "<redacted>"}]
	every options in hidden {
		rule.findings == expected with input as {"object": router(options, fargate), "references": object_arn}
	}
}

test_on_fargate_the_type_alone_says_that_it_is_meant if {
	expected := {{"at": place, "variant": "fargate"}, {"at": place, "variant": "no-object"}}
	rule.findings == expected with input as {"object": router(on_s3, fargate), "references": []}
}

test_a_file_in_the_image_is_what_fargate_takes if {
	rule.findings == set() with input as {"object": router(in_image, fargate), "references": []}
}

test_a_host_of_ones_own_fetches_from_s3[compatibilities] if {
	some compatibilities in [{}, {"requiresCompatibilities": ["EC2"]}, {"requiresCompatibilities": ["EXTERNAL"]}]
	rule.findings == set() with input as {"object": router(on_s3, compatibilities), "references": object_arn}
}

test_s3_without_the_arn_of_an_object_is_a_finding[references] if {
	some references in [[], reference("environmentFiles", null)]
	expected := {{"at": place, "variant": "no-object"}}
	rule.findings == expected with input as {"object": router(on_s3, {}), "references": references}
}

test_an_arn_that_does_not_parse_has_a_rule_of_its_own if {
	references := reference("firelensOption", "malformed-arn")
	rule.findings == set() with input as {"object": router(on_s3, {}), "references": references}
}

test_an_arn_is_no_path_in_a_container[problem] if {
	some problem in [null, "malformed-arn"]
	expected := {{"at": place, "variant": "no-path"}}
	references := reference("firelensOption", problem)
	rule.findings == expected with input as {"object": router(in_image, {}), "references": references}
	rule.findings == expected with input as {"object": router(in_image, fargate), "references": references}
}

test_a_reference_of_another_option_is_none if {
	references := reference("logOption", null)
	rule.findings == set() with input as {"object": router(in_image, {}), "references": references}
}

test_without_a_configuration_file_there_is_nothing_to_read if {
	options := {"enable-ecs-log-metadata": "<redacted>"}
	rule.findings == set() with input as {"object": router(options, fargate), "references": []}
}

test_every_container_is_judged_by_its_own_options if {
	routers := [{"firelensConfiguration": {"options": in_image}}, {"firelensConfiguration": {"options": on_s3}}]
	expected := {{"at": "/containerDefinitions/1/firelensConfiguration/options", "variant": "no-object"}}
	rule.findings == expected with input as {"object": {"containerDefinitions": routers}, "references": []}
}
