import Glibc
import TributaryCore
import TributaryLMDB

/// A second process on a log, for tests: `log-test-process <role> <folder>`.
///
/// It says `ready` on its output, then does what its role is until it is killed or has done it.
@main struct LogTestProcess {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else { exit(64) }
        do {
            if try hold(arguments[1], arguments[2]) { return }
            var configuration = EmbeddedLogConfiguration()
            configuration.mapSize = 1 << 30
            configuration.durability = .relaxed
            configuration.diskReserveBytes = 0
            configuration.maintenanceInterval = arguments[1] == "clean" ? .milliseconds(1) : .zero
            let log = try EmbeddedLog.open(at: arguments[2], configuration: configuration)
            switch arguments[1] {
            case "join": try join(log)
            case "stamp": try stamp(log)
            case "count", "clean": try count(log)
            case "read": try read(log)
            case "append": try append(log)
            case "verify": try verify(log)
            case "commit": try commitOnce(log)
            case "produce": try produce(log)
            default: exit(64)
            }
        } catch {
            say("\(error)")
            exit(1)
        }
    }

    /// Holds a lock of the log until it is killed; false if the role is none of these.
    private static func hold(_ role: String, _ folder: String) throws -> Bool {
        switch role {
        case "hold-writer":
            let environment = try LMDBEnvironment(
                path: folder + "/log.mdb", options: LMDBOptions(mapSize: 1 << 30, maximumReaders: 1024))
            let transaction = try environment.write()
            say("ready")
            // Not for ever: the transaction must live as long as the loop.
            while getppid() != 0 { pause() }
            transaction.abort()
            return true
        case "hold-open", "hold-maintenance":
            let file = unsafe open(folder + "/\(role.dropFirst(5)).lock", O_RDWR | O_CREAT, 0o644)
            guard file >= 0, flock(file, LOCK_EX) == 0 else { throw LogError(.io, "flock") }
            LockHolder.note(in: file)
            say("ready")
            while true { pause() }
        default: return false
        }
    }

    /// Prints what all topics hold, the records as a checksum for each partition.
    private static func read(_ log: EmbeddedLog) throws(LogError) {
        for topic in try log.topics() {
            say("\(topic)")
            for partition in 0..<topic.partitions {
                let place = TopicPartition(topic.name, partition)
                let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "child"))
                _ = try consumer.assign(place, from: try log.watermarks(place, committed: true).low)
                var (count, sum) = (0, UInt64(0))
                while let batch = try consumer.poll(timeout: 0) {
                    for index in 0..<batch.count {
                        count += 1
                        for bytes in [batch.key(index) == nil, batch.value(index) == nil] {
                            sum = sum &* 31 &+ (bytes ? 1 : 2)
                        }
                        if let key = batch.key(index) { add(key, &sum) }
                        if let value = batch.value(index) { add(value, &sum) }
                        sum = sum &* 31 &+ UInt64(bitPattern: batch.offset(index) &+ batch.timestamp(index))
                    }
                }
                say("\(place): \(count) \(sum)")
            }
        }
        for (place, offset) in try log.committedOffsets(group: "g").sorted(by: { $0.key < $1.key }) {
            say("\(place): \(offset.offset)")
        }
        log.close()
    }

    private static func add(_ bytes: RawSpan, _ sum: inout UInt64) {
        for index in 0..<bytes.byteCount { sum = sum &* 31 &+ UInt64(bytes.byte(at: index) ?? 0) }
    }

    /// Writes a little everywhere, in a transaction and without, and has the log cleaned.
    private static func append(_ log: EmbeddedLog) throws(LogError) {
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "child", tasks: 1))
        for id in ["child", nil] {
            let producer = try log.makeProducer(ProducerConfiguration(clientID: "child", transactionalID: id))
            let topics = try log.topics()
            for round: Int64 in 0..<20 {
                if id != nil { try producer.beginTransaction() }
                for topic in topics {
                    let number = try producer.number(ofTopic: topic.name)
                    for partition in 0..<topic.partitions {
                        var value = ByteWriter()
                        for _ in 0..<(round * 50) { value.append(bigEndian: round) }
                        try send(producer, number, partition, round, value)
                    }
                }
                let offsets = [TopicPartition("in", 0): CommittedOffset(round)]
                // Each round's records are a batch: which ones are one must not depend on the time it takes.
                if id != nil {
                    _ = try producer.commitTransaction(offsets: offsets, group: group)
                } else {
                    try producer.flush()
                }
            }
            producer.close()
        }
        try log.performMaintenance()
        log.close()
    }

    /// Says what a walk over everything finds.
    private static func verify(_ log: EmbeddedLog) throws(LogError) {
        var verifier = EmbeddedLogVerifier(log)
        verifier.run()
        for finding in verifier.findings { say("\(finding)") }
        if let first = verifier.findings.first { throw first }
        log.close()
    }

    /// Holds a group until it is killed.
    private static func join(_ log: EmbeddedLog) throws(LogError) {
        let group = try log.joinGroup(GroupConfiguration(group: "app", clientID: "child", tasks: 1))
        say("ready")
        while true { _ = try group.nextChange(timeout: 60_000) }
    }

    /// Answers each record of `ask` by one in `answer` with the time at which it was woken.
    private static func stamp(_ log: EmbeddedLog) throws(LogError) {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "child"))
        _ = try consumer.assign(TopicPartition("ask", 0), from: 0)
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "child", transactionalID: "child"))
        let answer = try producer.number(ofTopic: "answer")
        say("ready")
        while true {
            guard let batch = try consumer.poll(timeout: -1) else { continue }
            var time = timespec()
            _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
            try producer.beginTransaction()
            for index in 0..<batch.count {
                var value = ByteWriter()
                value.append(bigEndian: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
                try send(producer, answer, 0, batch.timestamp(index), value)
            }
            _ = try producer.commitTransaction(offsets: [:], group: nil)
        }
    }

    /// Counts in transactions: the same number goes to two partitions and is the committed offset, until it is killed.
    private static func count(_ log: EmbeddedLog) throws(LogError) {
        if try log.topic("t") == nil { try log.createTopics([TopicSpecification("t", partitions: 2)]) }
        if try log.topic("in") == nil { try log.createTopics([TopicSpecification("in")]) }
        let group = try log.joinGroup(GroupConfiguration(group: "app", clientID: "child", tasks: 1))
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "child", transactionalID: "child"))
        let topic = try producer.number(ofTopic: "t")
        let place = TopicPartition("in", 0)
        var next = try group.committed([place])[place]?.offset ?? 0
        say("ready")
        while true {
            try producer.beginTransaction()
            for partition: Int32 in 0...1 {
                for _ in 0..<5 {
                    var value = ByteWriter()
                    value.append(bigEndian: next)
                    for _ in 0..<(next % 50) { value.append(bigEndian: next) }
                    try send(producer, topic, partition, next, value)
                }
            }
            next += 1
            _ = try producer.commitTransaction(offsets: [place: CommittedOffset(next)], group: group)
        }
    }

    /// One transaction with one record.
    private static func commitOnce(_ log: EmbeddedLog) throws(LogError) {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "child", transactionalID: "child"))
        try producer.beginTransaction()
        var value = ByteWriter()
        value.append(utf8: "child")
        try send(producer, try producer.number(ofTopic: "t"), 0, 1, value)
        _ = try producer.commitTransaction(offsets: [:], group: nil)
        say("ready")
    }

    /// Commits numbered records, and says of each whether that worked (`+ number commit`) or not (`- number`), until it is
    /// killed; what makes the log large goes to another topic, which is emptied when the disk is full.
    private static func produce(_ log: EmbeddedLog) throws(LogError) {
        let name = "process \(getpid())"
        let producer = try log.makeProducer(ProducerConfiguration(clientID: name, transactionalID: name))
        let topic = try producer.number(ofTopic: "t")
        let ballast = try producer.number(ofTopic: "ballast")
        var random = FastRandom.seededBySystem()
        say("ready")
        var number: Int64 = 0
        while true {
            number += 1
            do {
                try producer.beginTransaction()
                var value = ByteWriter()
                value.append(bigEndian: getpid())
                value.append(bigEndian: number)
                try send(producer, topic, 0, number, value)
                for _ in 0..<(random.next() % 4 == 0 ? random.next() % 20_000 : 0) { value.append(bigEndian: number) }
                try send(producer, ballast, 0, number, value)
                let commit = try producer.commitTransaction(offsets: [:], group: nil)
                say("+ \(number) \(commit)")
            } catch {
                // LMDB says `io` of a write that ended short; when others have made room by now, nobody can tell that it was the disk.
                guard error.code == .diskFull || error.code == .io else { throw error }
                say("- \(number)")
                try producer.abortTransaction()
                usleep(UInt32(random.next() % 2000))
                if random.next() % 4 == 0 { try? log.deleteRecords(before: [TopicPartition("ballast", 0): -1]) }
            }
        }
    }

    private static func send(
        _ producer: any LogProducer, _ topic: Int, _ partition: Int32, _ timestamp: Int64,
        _ value: borrowing ByteWriter
    ) throws(LogError) {
        var key = ByteWriter()
        key.append(bigEndian: timestamp % 10)
        try producer.send(
            OutgoingRecord(timestamp: timestamp, key: key.bytes, value: value.bytes), topic: topic, partition: partition
        )
    }

    private static func say(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = unsafe write(1, line, line.count)
    }
}
