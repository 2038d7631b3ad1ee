# METADATA
# title: What the sidecar answers
# description: An evaluation and a health check, as the service asks for them, and nothing else. OPA asks this for each request.
package system.authz

default allow := false

allow if {
	input.method == "POST"
	input.path == ["v1", "data", "admission", "main", "evaluation"]
	_has_only({"strict-builtin-errors"})
}

allow if {
	input.method == "GET"
	input.path == ["health"]
	_has_only({"bundles"})
}

_has_only(names) if object.keys(input.params) - names == set()
