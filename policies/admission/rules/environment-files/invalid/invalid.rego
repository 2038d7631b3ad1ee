# METADATA
# title: Environment files that ECS can fetch
# description: |
#   An environment file is an S3 object whose name ends in .env, given by its ARN with type s3. A container takes up to
#   ten, and a Windows container takes none.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html
#     description: Pass environment variables to an Amazon ECS container
# custom:
#   why: >-
#     The registration is refused, or the tasks stop before their containers start.
#   severity: medium
#   action: deny
#   fix: none
#   message: an environment file of container {container} is not one that ECS can fetch
#   remediation: >-
#     Give each environment file of the container with type s3 and the ARN of an S3 object whose name ends in .env,
#     arn:PARTITION:s3:::BUCKET/KEY.env, and no more than ten.
#   variants:
#     malformed-arn:
#       message: an environment file of container {container} is not given by the ARN of an S3 object
#       remediation: >-
#         Give the ARN of the object as value, arn:PARTITION:s3:::BUCKET/KEY.env without Region and account.
#     extension:
#       message: the name of an environment file of container {container} does not end in .env
#       remediation: >-
#         Rename the object on S3, so that its name ends in .env, and give its new ARN as value.
#     type:
#       message: the type of an environment file is not s3
#       remediation: >-
#         Set type to s3, the only one that there is, and value to the ARN of the object on S3.
#     too-many:
#       message: a container has more than ten environment files
#       remediation: >-
#         Join the environment files of the container, so that there are ten at most. The first file that has a variable
#         wins.
#     windows:
#       message: a container of a Windows task has environment files
#       remediation: >-
#         Remove environmentFiles and give the variables as environment, and those that are secret as secrets.
package admission.rules["environment-files"].invalid

import data.admission.lib.containers

_most := 10

# METADATA
# scope: document
# description: The environment files that do not parse or are of another type, and those that are too many or on Windows.
findings contains {"at": reference.pointer, "variant": reference.problem} if {
	some reference in input.references
	reference.field == "environmentFiles"
	reference.problem != null
}

findings contains {"at": concat("/", [place, format_int(f, 10), "type"]), "variant": "type"} if {
	some place, files in _files
	some f, file in files
	file.type != "s3"
}

findings contains {"at": place, "variant": "too-many"} if {
	some place, files in _files
	count(files) > _most
}

findings contains {"at": place, "variant": "windows"} if {
	startswith(input.object.runtimePlatform.operatingSystemFamily, "WINDOWS")
	some place, files in _files
	count(files) > 0
}

_files[concat("/", [place, "environmentFiles"])] := container.environmentFiles if {
	some place, container in containers.at
}
