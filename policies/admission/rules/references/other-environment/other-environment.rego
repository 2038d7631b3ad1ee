# METADATA
# title: References stay in the environment
# description: |
#   Where the names of secrets, parameters and objects say which environment they belong to, as /prod/web/db does, a task
#   should reference those of its own. config/conventions lists the segments that stand for each environment; the first one
#   in a name decides. A request without an environment, or with one that is not listed, is not judged.
# related_resources:
#   - ref: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-hierarchies.html
#     description: Working with parameter hierarchies in Parameter Store
# custom:
#   why: >-
#     A task of a test environment that holds a secret of production opens production to everybody who may use the test
#     environment; the other way round, production stops when somebody tidies up the test environment.
#   severity: medium
#   action: warn
#   fix: none
#   message: the name of what {place} refers to belongs to another environment than the one that is deployed to
#   remediation: >-
#     Reference the secret of the environment that is deployed to, and take the environment's part of the name from the
#     pipeline. If both environments really share it, give it a name that says so.
package admission.rules.references["other-environment"]

import data.admission.lib.references

# METADATA
# scope: document
# description: The references whose name belongs to another environment than the request's.
findings contains {"at": reference.pointer} if {
	own := data.config.conventions.environments[input.request.context.environment]
	count(own) > 0
	some reference in references.sound
	found := _first(reference)
	not found in own
}

# The first segment of a name that stands for an environment.
_first(reference) := [segment |
	some segment in split(lower(_name(reference)), "/")
	segment in _segments
][0]

# The name of a secret is its resource without the hyphen and six characters at its end.
_name(reference) := substring(reference.resource, 0, count(reference.resource) - 7) if reference.complete == true

else := reference.resource

_segments contains segment if {
	some segments in data.config.conventions.environments
	some segment in segments
}
