// Package integrations holds the words that cross a floor of the house and the
// contracts between the features (package commands and below) and the systems
// (the folders in here: slack, github, terraform …). It knows no system and no
// feature, and imports nothing of ours but the kit.
package integrations
