# METADATA
# description: A finding holds at and variant, in the head of findings
# related_resources:
#   - description: how to add a rule
#     ref: docs/how-to/add-a-rule.md
# schemas:
#   - input: schema.regal.ast
package custom.regal.rules.admission["finding-members"]

import data.regal.ast
import data.regal.result

# METADATA
# description: Members of other names. The words of a finding are METADATA, so what else it holds is text of the request.
report contains violation if {
	_is_rule
	some part in (_heads | _helpers)
	some [key, _] in part.value
	not key.value in {"at", "variant"}
	violation := result.fail(rego.metadata.chain(), result.location(key))
}

# METADATA
# description: Findings whose members cannot be seen in the head.
report contains violation if {
	_is_rule
	some rule in _findings
	not _shows_place(object.get(rule.head, "key", null))
	violation := result.fail(rego.metadata.chain(), result.location(rule.head))
}

_is_rule if array.slice(ast.package_path, 0, 2) == ["admission", "rules"]

_findings := [rule | some rule in input.rules; rule.head.ref[0].value == "findings"]

_shows_place(key) if {
	some part in _objects(key)
	some [name, _] in part.value
	name.value == "at"
}

_heads := {part | some part in _objects(_findings[_].head.key)}

# What a head is joined with: `object.union({"at": "/x"}, _variant)`.
_helpers contains rule.head.value if {
	walk(_findings[_].head.key, [_, term])
	term.type == "ref"
	some rule in input.rules
	rule.head.ref[0].value == term.value[0].value
	rule.head.value.type == "object"
}

_objects(term) := {part | walk(term, [_, part]); part.type == "object"}
