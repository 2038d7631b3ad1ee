package custom.regal.rules.admission["pattern-on-literal_test"]

import data.custom.regal.rules.admission["pattern-on-literal"] as rule
import data.regal.capabilities
import data.regal.config

rows(body) := {violation.location.row |
	module := regal.parse_module("rule.rego", concat("\n", ["package admission.rules.some.rule", body]))
	some violation in rule.report with input as module with config.capabilities as capabilities.provided
}

test_a_pattern_on_a_literal_is_reported[name] if {
	some name, body in {
		"of the request": `holds if {
			some literal in input.literals
			regex.match("^x", literal.name)
		}`,
		"with its number": `holds if {
			some i, found in input.literals
			regex.match("^x", found.name)
		}`,
		"at once": `holds if {
			some i
			glob.match("x*", [], input.literals[i].name)
		}`,
		"inside a call": `holds if {
			some literal in input.literals
			regex.match("^x", lower(literal.name))
		}`,
		"given to a function": `holds(literal) if {
			literal.kind == "text"
			regex.match("^x", literal.name)
		}`,
	}
	rows(body) == {4}
}

test_a_pattern_on_something_else_is_none_of_ours if {
	rows(`holds if {
		some literal in input.literals
		literal.name == "x"
		some container in input.object.containerDefinitions
		regex.match(":latest$", container.image)
	}`) == set()
}
