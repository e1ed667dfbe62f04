// Package codebuild has AWS CodeBuild run a step of a target: it is the engine of
// kit/remote that a build of a project is. The log of a build is read from CloudWatch
// Logs.
package codebuild
