# METADATA
# description: Rule without message, remediation and link in METADATA
# related_resources:
#   - description: how to add a rule
#     ref: docs/how-to/add-a-rule.md
# schemas:
#   - input: schema.regal.ast
package custom.regal.rules.admission.remediation

import data.regal.ast
import data.regal.result

# METADATA
# description: Packages of rules without those words. Tests have none.
report contains violation if {
	[first, second, category, rule] = ast.package_path
	[first, second] == ["admission", "rules"]
	not endswith(rule, "_test")
	not _has_words
	violation := result.fail(rego.metadata.chain(), result.location(input["package"]))
}

_has_words if {
	some annotation in input["package"].annotations
	annotation.scope == "package"
	trim_space(annotation.custom.message) != ""
	trim_space(annotation.custom.remediation) != ""
	count(annotation.related_resources) > 0
}
