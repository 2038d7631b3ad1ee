# METADATA
# description: Pattern matched against a literal, whose value is not there
# related_resources:
#   - description: the PolicyInput
#     ref: docs/explanation/policy-input.md
# schemas:
#   - input: schema.regal.ast
package custom.regal.rules.admission["pattern-on-literal"]

import data.regal.ast
import data.regal.result

# METADATA
# description: Calls that match a pattern against a member of a literal.
report contains violation if {
	some call in ast.found.calls[_]
	call[0].value[0].value in {"regex", "glob"}
	some argument in array.slice(call, 1, 100)
	walk(argument, [_, term])
	term.type == "ref"
	_of_literal(term)
	violation := result.fail(rego.metadata.chain(), result.location(call[0]))
}

_of_literal(ref) if _is_literals(ref)

_of_literal(ref) if ref.value[0].value in _names

_is_literals(ref) if {
	ref.value[0].value == "input"
	ref.value[1].value == "literals"
}

# The variables that stand for a literal.
_names contains argument.value if {
	some argument in ast.functions[_].head.args
	argument.value == "literal"
}

_names contains variable.value if {
	some symbol in ast.found.symbols[_][_]
	symbol.type == "call"
	[variable, collection] := array.slice(symbol.value, count(symbol.value) - 2, count(symbol.value))
	_is_literals(collection)
}
