# METADATA
# title: A FireLens configuration file that its host can fetch
# description: |
#   A log router may take its configuration, credentials of log destinations included, from an S3 object that ECS
#   fetches with the task execution role. That needs config-file-type s3 and the ARN of the object as config-file-value,
#   and Fargate does not do it: there the file has to be in the image or on a volume.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_FirelensConfiguration.html
#     description: FirelensConfiguration
# custom:
#   why: >-
#     The log router does not start, or starts without its outputs, so that the task fails or its logs are lost.
#   severity: medium
#   action: deny
#   fix: none
#   message: a FireLens configuration file cannot be read as the options say
#   remediation: >-
#     Give config-file-type s3 with the ARN of the object as config-file-value, arn:PARTITION:s3:::BUCKET/KEY; or
#     config-file-type file with the path of the file inside the container.
#   variants:
#     fargate:
#       message: a FireLens configuration file is on S3, from which Fargate fetches none
#       remediation: >-
#         Put the file into the image of the log router, or on a volume that it mounts, and give config-file-type file with
#         its path as config-file-value. An image of AWS for Fluent Bit with an init tag, such as init-latest, fetches files
#         from S3 by itself, with the task role.
#     no-object:
#       message: FireLens option config-file-type is s3 and config-file-value is not the ARN of an S3 object
#       remediation: >-
#         Give the ARN of the object as config-file-value, arn:PARTITION:s3:::BUCKET/KEY without Region and account; for a
#         file inside the container set config-file-type to file.
#     no-path:
#       message: FireLens option config-file-type is file and config-file-value is an ARN
#       remediation: >-
#         Set config-file-type to s3 where the file is on S3, or give the path of the file inside the container as
#         config-file-value.
package admission.rules.logging["firelens-configuration"]

import data.admission.lib.containers

# METADATA
# scope: document
# description: The options of the log routers whose configuration file cannot be read.
findings contains {"at": place, "variant": "fargate"} if {
	"FARGATE" in input.object.requiresCompatibilities
	some place, options in _options
	_is_on_s3(place, options)
}

findings contains {"at": place, "variant": "no-object"} if {
	some place, options in _options
	options["config-file-type"] == "s3"
	not _file(place) in _arns
}

findings contains {"at": place, "variant": "no-path"} if {
	some place, options in _options
	options["config-file-type"] == "file"
	_file(place) in _arns
}

_is_on_s3(_, options) if options["config-file-type"] == "s3"

_is_on_s3(place, options) if {
	_file(place) in _arns
	not options["config-file-type"] == "file"
}

_options[concat("/", [place, "firelensConfiguration", "options"])] := container.firelensConfiguration.options if {
	some place, container in containers.at
}

_file(place) := concat("/", [place, "config-file-value"])

# A config-file-value is a reference where it starts as an ARN does; one that does not parse is found as that.
_arns contains reference.pointer if {
	some reference in input.references
	reference.field == "firelensOption"
}
