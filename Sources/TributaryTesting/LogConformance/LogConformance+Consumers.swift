import TributaryCore

extension LogConformance {
    static var consumerChecks: [Check] {
        [
            Check("a consumer begins where it is told and knows its position") { fixture in
                let place = try fixture.topic("t")
                try fixture.write(["a", "b", "c"], to: place)
                let consumer = try fixture.consumer()
                let number = try consumer.assign(place, from: 1)
                try expect(consumer.position(number), equals: 1, "position before the first poll")
                try expect(fixture.values(try fixture.poll(consumer, count: 2)), equals: ["b", "c"], "values")
                try expect(consumer.position(number), equals: 3, "position")
                try expect(consumer.knownEnd(number), equals: 3, "known end")
            },
            Check("a poll that may not wait returns nothing from an empty partition") { fixture in
                let place = try fixture.topic("t")
                let consumer = try fixture.consumer()
                _ = try consumer.assign(place, from: 0)
                try fixture.expectSilence(consumer)
                try expect(try fixture.consumer().poll(timeout: 0) == nil, "a poll without partitions gave a batch")
            },
            Check("a poll that may wait ends when a record comes") { fixture in
                let place = try fixture.topic("t")
                let consumer = try fixture.consumer()
                _ = try consumer.assign(place, from: 0)
                let writer = Parallel { try? fixture.write(["late"], to: place) }
                let records = try fixture.poll(consumer, count: 1)
                writer.join()
                try expect(fixture.values(records), equals: ["late"], "values")
            },
            Check("seek goes back and forth") { fixture in
                let place = try fixture.topic("t")
                try fixture.write(["a", "b", "c"], to: place)
                let consumer = try fixture.consumer()
                let number = try consumer.assign(place, from: 0)
                _ = try fixture.poll(consumer, count: 3)
                consumer.seek(number, to: 1)
                try expect(consumer.position(number), equals: 1, "position after a seek")
                try expect(fixture.values(try fixture.poll(consumer, count: 2)), equals: ["b", "c"], "values")
                consumer.seek(number, to: 2)
                try expect(fixture.values(try fixture.poll(consumer, count: 1)), equals: ["c"], "values")
                consumer.seek(number, to: 3)
                try fixture.expectSilence(consumer)
            },
            Check("a position outside of the partition is an error until the caller seeks") { fixture in
                let place = try fixture.topic("t")
                try fixture.write(["a", "b"], to: place)
                let consumer = try fixture.consumer()
                let number = try consumer.assign(place, from: 9)
                for _ in 0..<2 {
                    try expect(.offsetOutOfRange, "beyond the end") {
                        _ = try consumer.poll(timeout: fixture.patience)
                    }
                }
                consumer.seek(number, to: 1)
                try expect(fixture.values(try fixture.poll(consumer, count: 1)), equals: ["b"], "values")
                consumer.seek(number, to: -1)
                try expect(.offsetOutOfRange, "below 0") { _ = try consumer.poll(timeout: fixture.patience) }
            },
            Check("a paused partition is silent, others are not, and it goes on where it was") { fixture in
                try fixture.topic("t", partitions: 2)
                let places = [TopicPartition("t", 0), TopicPartition("t", 1)]
                for place in places { try fixture.write(["a\(place.partition)"], to: place) }
                let consumer = try fixture.consumer()
                let numbers = try places.map { try consumer.assign($0, from: 0) }
                consumer.pause(numbers[0])
                try expect(fixture.values(try fixture.poll(consumer, count: 1)), equals: ["a1"], "while paused")
                try fixture.expectSilence(consumer)
                try expect(consumer.position(numbers[0]), equals: 0, "position while paused")
                consumer.resume(numbers[0])
                try expect(fixture.values(try fixture.poll(consumer, count: 1)), equals: ["a0"], "after resuming")
            },
            Check("no partition starves, and each batch names its own") { fixture in
                try fixture.topic("t", partitions: 3)
                let consumer = try fixture.consumer(maximumBatchBytes: 1)
                var expected: [Int: [String]] = [:]
                for partition in 0..<Int32(3) {
                    let place = TopicPartition("t", partition)
                    let values = (0..<4).map { "\(partition)-\($0)" }
                    try fixture.write(values, to: place)
                    expected[try consumer.assign(place, from: 0)] = values
                }
                try expect(expected.count, equals: 3, "different numbers")
                var found: [Int: [String]] = [:]
                while found.values.reduce(0, { $0 + $1.count }) < 12 {
                    guard let batch = try consumer.poll(timeout: fixture.patience) else {
                        throw Unexpected("no batch came, so far: \(found)")
                    }
                    try expect(batch.count > 0, "an empty batch")
                    for index in 0..<batch.count {
                        found[batch.assignment, default: []] += fixture.values([LoggedRecord(batch, index)])
                    }
                    try expect(batch.nextOffset, equals: batch.offset(batch.count - 1) + 1, "next offset")
                }
                try expect(found, equals: expected, "values by partition")
            },
            Check("a partition that was given up is silent, and can be taken again") { fixture in
                let place = try fixture.topic("t")
                try fixture.write(["a"], to: place)
                let consumer = try fixture.consumer()
                consumer.unassign(try consumer.assign(place, from: 0))
                try fixture.expectSilence(consumer)
                _ = try consumer.assign(place, from: 0)
                _ = try fixture.poll(consumer, count: 1)
                consumer.close()
                try expect(.closed, "poll after close") { _ = try consumer.poll(timeout: 0) }
            },
            Check("a batch stays readable when its consumer and the records are gone") { fixture in
                let place = try fixture.topic("t")
                try fixture.write(["kept"], to: place)
                let consumer = try fixture.consumer()
                _ = try consumer.assign(place, from: 0)
                guard let batch = try consumer.poll(timeout: fixture.patience) else {
                    throw Unexpected("no batch came")
                }
                consumer.close()
                try fixture.log.deleteRecords(before: [place: 1])
                try expect(fixture.values([LoggedRecord(batch, 0)]), equals: ["kept"], "values")
            },
            Check("wake ends a poll, before it and while it waits") { fixture in
                let place = try fixture.topic("t")
                let consumer = try fixture.consumer()
                _ = try consumer.assign(place, from: 0)
                let start = TimeSource.system.monotonic.milliseconds
                consumer.wake()
                try expect(try consumer.poll(timeout: fixture.patience) == nil, "a batch came")
                // The consumer is this thread's, but for `wake`, which any thread may call.
                nonisolated(unsafe) let shared = consumer
                let waker = Parallel { shared.wake() }
                try expect(try consumer.poll(timeout: fixture.patience) == nil, "a batch came")
                waker.join()
                let taken = TimeSource.system.monotonic.milliseconds - start
                try expect(taken < fixture.patience, "wake did not end the wait: \(taken) ms")
                try fixture.write(["a"], to: place)
                _ = try fixture.poll(consumer, count: 1)
            },
        ]
    }
}
