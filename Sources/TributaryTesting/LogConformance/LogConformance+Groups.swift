import TributaryCore

extension LogConformance {
    static var groupChecks: [Check] {
        [
            Check("the only member of a group gets all tasks") { fixture in
                let group = try fixture.group(tasks: 3)
                let change = try group.nextChange(timeout: fixture.patience)
                guard case .assigned(let tasks) = change else {
                    throw Unexpected("expected tasks, got \(String(describing: change))")
                }
                try expect(tasks.sorted(), equals: [0, 1, 2], "tasks")
                try expect(try group.nextChange(timeout: 0), equals: nil, "another change")
                group.leave()
            },
            Check("committed offsets come back with their metadata, partition by partition") { fixture in
                try fixture.topic("t", partitions: 3)
                let places = (0..<3).map { TopicPartition("t", $0) }
                let group = try fixture.group()
                try expect(try group.committed(places), equals: [:], "before the first commit")
                let first = [places[0]: CommittedOffset(7, metadata: "x=1"), places[1]: CommittedOffset(0)]
                try group.commit(first)
                try expect(try group.committed(places), equals: first, "after a commit")
                try group.commit([places[0]: CommittedOffset(5, metadata: "ü")])
                let second = [places[0]: CommittedOffset(5, metadata: "ü"), places[1]: CommittedOffset(0)]
                try expect(try group.committed(places), equals: second, "after going back")
                try expect(try group.committed([places[1]]), equals: [places[1]: CommittedOffset(0)], "of one")
                try expect(try fixture.log.committedOffsets(group: "group"), equals: second, "from outside")
                try expect(try fixture.log.committedOffsets(group: "nobody"), equals: [:], "of an unknown group")
            },
            Check("committed offsets outlive the member") { fixture in
                let place = try fixture.topic("t")
                let group = try fixture.group()
                try group.commit([place: CommittedOffset(3, metadata: "m")])
                group.leave()
                try expect(.fenced, "commit after leaving") { try group.commit([place: CommittedOffset(4)]) }
                let next = try fixture.group()
                try expect(try next.committed([place]), equals: [place: CommittedOffset(3, metadata: "m")], "offsets")
                let change = try next.nextChange(timeout: fixture.patience)
                try expect(change, equals: .assigned([0]), "tasks of the next member")
            },
            Check("offsets belong to a topic, not to its name") { fixture in
                let places = [try fixture.topic("t"), try fixture.topic("t2"), try fixture.topic("a")]
                let identity = try fixture.log.topic("t")?.identity ?? ""
                let group = try fixture.group()
                let second = try fixture.group("g")
                for place in places {
                    let own = try fixture.log.topic(place.topic)?.identity ?? ""
                    try group.commit([place: CommittedOffset(7, topicIdentity: own)])
                    try second.commit([place: CommittedOffset(8)])
                }
                try fixture.log.deleteTopics(["t"])
                try fixture.topic("t")
                guard try fixture.log.topic("t")?.life == 2 else { return }
                let others = [places[1]: CommittedOffset(7), places[2]: CommittedOffset(7)]
                try expect(try group.committed(places), equals: others, "offsets after the topic was deleted")
                try expect(try second.committed([places[0]]), equals: [:], "those of another group")
                try expect(.unknownTopic, "an offset of the old topic") {
                    try group.commit([places[0]: CommittedOffset(9, topicIdentity: identity)])
                }
                let producer = try fixture.producer("tx")
                try producer.beginTransaction()
                try fixture.send(fixture.record("x"), to: places[1], with: producer)
                try expect(.unknownTopic, "an offset of the old topic in a transaction") {
                    _ = try producer.commitTransaction(
                        offsets: [places[0]: CommittedOffset(9, topicIdentity: identity)], group: group)
                }
                try producer.abortTransaction()
                try expect(try group.committed(places), equals: others, "offsets after refused commits")
                let now = try fixture.log.topic("t")?.identity ?? ""
                try group.commit([places[0]: CommittedOffset(1, topicIdentity: now)])
                try expect(try group.committed([places[0]]), equals: [places[0]: CommittedOffset(1)], "its own offset")
                try expect(.unknownTopic, "an offset of no topic") {
                    try group.commit([TopicPartition("none", 0): CommittedOffset(1)])
                }
            },
            Check("groups know nothing of each other") { fixture in
                let place = try fixture.topic("t")
                let groups = [try fixture.group("a"), try fixture.group("b")]
                try groups[0].commit([place: CommittedOffset(1)])
                try expect(try groups[1].committed([place]), equals: [:], "offsets of the other group")
            },
        ]
    }
}
