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
            Check("groups know nothing of each other") { fixture in
                let place = try fixture.topic("t")
                let groups = [try fixture.group("a"), try fixture.group("b")]
                try groups[0].commit([place: CommittedOffset(1)])
                try expect(try groups[1].committed([place]), equals: [:], "offsets of the other group")
            },
        ]
    }
}
