package admission.lib.references_test

import data.admission.lib.references

test_what_ecs_resolves_is_injected if {
	found := [{"field": field} | some field in references.fields]
	count(references.injected) == count(references.fields) with input.references as found
}

test_what_it_does_not_resolve_is_not if {
	count(references.injected) == 0 with input.references as [{"field": "environment"}]
	count(references.injected) == 0 with input as {}
}
