output "instance_id" {
  description = "The instance that the daemon runs on."
  value       = aws_instance.this.id
}

output "role_arn" {
  description = "The role whose permissions it has."
  value       = aws_iam_role.this.arn
}

output "security_group_id" {
  description = "For the rules of VPC endpoints that are to let it in."
  value       = aws_security_group.this.id
}

output "session" {
  description = "A shell on it."
  value       = var.session_manager ? "aws ssm start-session --region ${data.aws_region.current.region} --target ${aws_instance.this.id}" : null
}
