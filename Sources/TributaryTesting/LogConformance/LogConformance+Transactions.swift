import TributaryCore

extension LogConformance {
    static var transactionChecks: [Check] {
        [
            Check("records of a transaction are seen when it is committed, all at once") { fixture in
                let places = [try fixture.topic("a"), try fixture.topic("b")]
                let producer = try fixture.producer("id")
                try producer.beginTransaction()
                for place in places { try fixture.send(fixture.record("x"), to: place, with: producer) }
                try producer.flush()
                for place in places { _ = try fixture.read(0, from: place) }
                for place in places {
                    try expect(try fixture.log.watermarks(place, committed: true).high, equals: 0, "high watermark")
                }
                _ = try producer.commitTransaction(offsets: [:], group: nil)
                for place in places {
                    let record = try fixture.read(1, from: place)
                    let number = try producer.number(ofTopic: place.topic)
                    try expect(
                        producer.lastOffset(topic: number, partition: 0), equals: record[0].offset, "last offset")
                }
            },
            Check("an aborted transaction is never read") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer("id")
                try producer.beginTransaction()
                try fixture.send(fixture.record("lost"), to: place, with: producer)
                try producer.flush()
                try producer.abortTransaction()
                try producer.beginTransaction()
                try fixture.send(fixture.record("kept"), to: place, with: producer)
                _ = try producer.commitTransaction(offsets: [:], group: nil)
                try expect(fixture.values(try fixture.read(1, from: place)), equals: ["kept"], "values")
            },
            Check("closing a producer gives up its transaction") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer("id")
                try producer.beginTransaction()
                try fixture.send(fixture.record("lost"), to: place, with: producer)
                producer.close()
                try fixture.write(["kept"], to: place)
                try expect(fixture.values(try fixture.read(1, from: place)), equals: ["kept"], "values")
                try expect(.closed, "send after close") {
                    try fixture.send(fixture.record("x"), to: place, with: producer)
                }
            },
            Check("records keep the order of sending across partitions and commits") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer("id")
                for round in 0..<3 {
                    try producer.beginTransaction()
                    for index in 0..<3 {
                        try fixture.send(fixture.record("\(round)\(index)"), to: place, with: producer)
                    }
                    _ = try producer.commitTransaction(offsets: [:], group: nil)
                }
                let values = fixture.values(try fixture.read(9, from: place))
                try expect(values, equals: ["00", "01", "02", "10", "11", "12", "20", "21", "22"], "values")
            },
            Check("offsets are committed with the transaction, and not with an aborted one") { fixture in
                let place = try fixture.topic("t")
                let output = try fixture.topic("out")
                try fixture.write(["a", "b"], to: place)
                let group = try fixture.group()
                let producer = try fixture.producer("id")
                try producer.beginTransaction()
                try fixture.send(fixture.record("A"), to: output, with: producer)
                try producer.abortTransaction()
                try expect(try group.committed([place]), equals: [:], "offsets after an abort")
                try producer.beginTransaction()
                try fixture.send(fixture.record("A"), to: output, with: producer)
                let offsets = [place: CommittedOffset(1, metadata: "partition time")]
                _ = try producer.commitTransaction(offsets: offsets, group: group)
                try expect(try group.committed([place]), equals: offsets, "offsets after the commit")
                _ = try fixture.read(1, from: output)
            },
            Check("a transaction with offsets only, and an empty one, can be committed") { fixture in
                let place = try fixture.topic("t")
                let group = try fixture.group()
                let producer = try fixture.producer("id")
                try producer.beginTransaction()
                _ = try producer.commitTransaction(offsets: [place: CommittedOffset(0)], group: group)
                try expect(try group.committed([place]), equals: [place: CommittedOffset(0)], "offsets")
                try producer.beginTransaction()
                _ = try producer.commitTransaction(offsets: [:], group: nil)
            },
            Check("commit ids grow") { fixture in
                let place = try fixture.topic("t")
                let producer = try fixture.producer("id")
                var last = Int64.min
                for _ in 0..<3 {
                    try producer.beginTransaction()
                    try fixture.send(fixture.record("x"), to: place, with: producer)
                    let commit = try producer.commitTransaction(offsets: [:], group: nil)
                    try expect(commit > last, "the commit id \(commit) is not above \(last)")
                    last = commit
                }
            },
            Check("the second producer of a transactional id fences the first") { fixture in
                let place = try fixture.topic("t")
                let first = try fixture.producer("id")
                try first.beginTransaction()
                try fixture.send(fixture.record("lost"), to: place, with: first)
                let second = try fixture.producer("id")
                try expect(.fenced, "commit of the first") {
                    _ = try first.commitTransaction(offsets: [:], group: nil)
                }
                try second.beginTransaction()
                try fixture.send(fixture.record("kept"), to: place, with: second)
                _ = try second.commitTransaction(offsets: [:], group: nil)
                try expect(fixture.values(try fixture.read(1, from: place)), equals: ["kept"], "values")
                let other = try fixture.producer("other")
                try other.beginTransaction()
                try other.abortTransaction()
                try second.beginTransaction()
                try second.abortTransaction()
            },
            Check("transactions are begun once and ended once") { fixture in
                let producer = try fixture.producer("id")
                try expect(.invalidRequest, "commit without begin") {
                    _ = try producer.commitTransaction(offsets: [:], group: nil)
                }
                try expect(.invalidRequest, "abort without begin") { try producer.abortTransaction() }
                try producer.beginTransaction()
                try expect(.invalidRequest, "begin twice") { try producer.beginTransaction() }
            },
        ]
    }
}
