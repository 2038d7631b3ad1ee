# METADATA
# title: The entrypoint of the pack
# description: |
#   Collects the findings of every rule below data.admission.rules, together with the proof that a decision needs:
#   which request was judged, under which revision, by which rules.
package admission.main

# METADATA
# entrypoint: true
evaluation := {
	"decisionId": input.request.uid,
	"revision": data.revision.id,
	"evaluated": evaluated,
	"findings": findings,
} if {
	# Without counts the input is no projection, and nobody can say that anything was looked at.
	input.counts.literals >= 0
}

# METADATA
# scope: document
# description: The rules that were evaluated. A rule is a folder, and adding one under admission/rules adds it here.
evaluated contains concat("/", [category, rule]) if {
	some category, rule
	data.admission.rules[category][rule].findings
}

# METADATA
# scope: document
# description: What they found, each finding with the id of its rule.
findings contains object.union(finding, {"rule": concat("/", [category, rule])}) if {
	some category, rule
	found := data.admission.rules[category][rule].findings
	some finding in found
}
