package custom.regal.rules.admission.remediation_test

import data.custom.regal.rules.admission.remediation as rule

metadata := `# METADATA
# related_resources:
#   - ref: https://example.com/
# custom:
#   message: some message
#   remediation: Some remedy.`

reported(metadata, name) if {
	lines := [metadata, sprintf("package %s", [name]), `findings contains {"at": "/x"} if input.object.x`]
	count(rule.report) == 1 with input as regal.parse_module("rule.rego", concat("\n", lines))
}

test_a_rule_with_all_words_is_not_reported if {
	not reported(metadata, "admission.rules.some.rule")
}

test_a_rule_without_metadata_is_reported if {
	reported("", "admission.rules.some.rule")
	reported("", `admission.rules.some["other-rule"]`)
}

test_a_rule_without_a_word_is_reported[missing] if {
	some missing in ["some message", "Some remedy."]
	reported(replace(metadata, missing, ""), "admission.rules.some.rule")
	reported(replace(metadata, missing, `" "`), "admission.rules.some.rule")
}

test_a_rule_without_a_link_is_reported if {
	link := "# related_resources:\n#   - ref: https://example.com/\n"
	reported(replace(metadata, link, ""), "admission.rules.some.rule")
}

test_tests_and_other_packages_need_none if {
	not reported("", "admission.rules.some.rule_test")
	not reported("", "admission.lib.some")
	not reported("", "admission.main")
}
