# The container of cstl-verificationservice. policy/kubernetes names it cstl/verificationservice.json.
@include start.profile
@include exporter.policy
@include verificationservice.policy
