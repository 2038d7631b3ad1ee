package admission.rules.references["not-found_test"]

import data.admission.rules.references["not-found"] as rule

fact(pointer, known) := object.union({"kind": "reference", "pointer": pointer}, known)

request(facts, problem) := {
	"references": [{"pointer": "/a", "problem": problem}, {"pointer": "/b", "problem": problem}],
	"facts": facts,
}

test_what_does_not_exist_is_a_finding if {
	found := [fact("/a", {"exists": false}), fact("/b", {"exists": true})]
	rule.findings == {{"at": "/a"}} with input as request(found, null)
}

test_what_waits_for_its_deletion_is_a_finding if {
	found := [fact("/a", {"exists": true, "deletionScheduled": true}), fact("/b", {"exists": true, "deletionScheduled": false})]
	rule.findings == {{"at": "/a", "variant": "deletion"}} with input as request(found, null)
}

test_what_is_not_known_is_one_finding if {
	expected := {{"at": "", "variant": "unknown"}}
	rule.findings == expected with input as request([fact("/a", {}), fact("/b", {"rotates": true})], null)
}

test_what_does_not_parse_is_not_looked_up if {
	rule.findings == set() with input as request([fact("/a", {}), fact("/b", {})], "empty")
}

test_facts_of_something_else_are_none if {
	found := [{"kind": "role", "pointer": "/a", "exists": false, "deletionScheduled": true}, {"kind": "role", "pointer": "/b"}]
	rule.findings == set() with input as request(found, null)
}
