// Package rota works out who is on call: from the layers of a schedule and what
// people changed of them, it makes the timeline of any stretch of time. It is a tool
// of the kit and pure: it reads no clock, no store and no network, and keeps no
// position that a timer would have to move on. Which turn it is at an instant is
// worked out from the anchor alone, so that a preview of next month, a restart after
// a week and the question of who has the pager now all get the same answer.
//
// A Schedule has Layers. A layer hands over from group to group at boundaries that
// are read off the clock on the wall in the schedule's zone:
//
//   - Boundary k is the anchor's date and time, k times Every units later on the
//     calendar. Days, weeks and months change the date and keep the time of day; hours
//     change what the wall clock shows; a month that is too short ends on its last day.
//   - A boundary that the wall clock skips is at the first instant after the gap, and
//     one that it shows twice at the first of the two. Windows begin in the same way,
//     and end at the last of the two, so that a window over an hour that comes twice
//     holds both.
//   - A turn that has no length, because both of its boundaries fall into one gap, is
//     skipped. So is the turn of a day that a zone left out.
//   - With Count "active" only the days of the windows count; the others are nobody's
//     turn but the pause of whoever had the last one.
//
// Where layers meet, the highest priority that has somebody is on call, and layers of
// the same priority are on call together. Overrides change that result once.
//
// Everything is half-open, [start, end). A rota changes on whole minutes: the seconds
// of a From, an Until, and of an override's Start and End are cut off.
//
// # Overrides
//
// An override is applied to what the layers make of an instant and never to what
// another override made of it. Everybody whom the layers have on call then has a place.
// Of the takes, and of the replaces and removes that name the person as Instead, the one
// made last says who has it:
//
//   - take T: T has it. A remove of that person made later finds them gone and changes
//     nothing, unless they are T.
//   - replace A by B: B has A's place. Where the layers do not have A it says nothing,
//     even where another override puts A on call: A by B and B by C make B of A, and two
//     replaces that swap two people who are on call together swap their places.
//   - remove A: nobody has it. That holds against a replace of A made before; one made
//     later holds against it. Who stands in for somebody else stays.
//
// So a take is over where every place was given away by replaces made after it; where
// it shares, T stands once, in the first place that is left. Where the layers have
// nobody, whoever took it last is on call alone.
//
// Then come those who were added, in the order in which it was said. An add puts nobody
// aside. It is undone by a take made later, by a later remove of the same person, and by
// a later replace of them where the layers have them.
//
// Nobody is on call twice: the first place counts. An override that changes nothing is
// named nowhere.
package rota
