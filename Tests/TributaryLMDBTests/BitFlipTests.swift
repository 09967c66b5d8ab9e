import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB
import TributaryLineage

private let isSoak = environment("TRIBUTARY_SOAK") != nil
private let seed = environment("TRIBUTARY_SEED").flatMap { UInt64($0) } ?? (isSoak ? .random(in: 0...(.max)) : 7)

/// How many bits of each kind of place, in a soak.
private let flips = environment("TRIBUTARY_FLIPS").flatMap { Int($0) } ?? 400

/// Logs with one bit turned over: what is read is right, or the error says what is wrong; never less without a word.
@Suite(.timeLimit(.minutes(isSoak ? 60 : 10))) struct BitFlipTests {
    let subject: FlipSubject

    init() throws { subject = try FlipSubject() }

    @Test(arguments: FlipPlace.allCases)
    func `a flipped bit is no matter or a typed error, and nothing is missing without one`(_ place: FlipPlace) throws {
        var outcomes = OutcomeTable("reading")
        for flip in subject.map.flips(place, count: 40, seed: seed) {
            try flip.apply(to: subject.path)
            let outcome = subject.read()
            try flip.apply(to: subject.path)
            outcomes.add(place.rawValue, outcome.name)
            #expect(outcome.isAllowed, "\(place.rawValue), \(flip): \(outcome.name)")
        }
        #expect(subject.read() == .right)
        // The places that every read goes by can't all be without consequence.
        if [.branch, .leafHead, .overflowBody].contains(place) { #expect(outcomes.count("typed error") > 10) }
    }

    @Test func `no other page passes for the first one of the tables`() throws {
        let file = try contents(subject.path)
        let pageSize = subject.map.pageSize
        func number(_ at: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(file[at + $1]) << (8 * $1) } }
        let newest = number(144) > number(pageSize + 144) ? 0 : pageSize
        var outcomes = OutcomeTable("other roots")
        for field in [80, 128] {
            for page in 2..<UInt64(file.count / pageSize) where page != number(newest + field) {
                // Trees begin with a leaf or a branch; whatever else is there, its first field is its number.
                let head = Int(page) * pageSize
                guard number(head) == page, file[head + 10] & 3 != 0 else { continue }
                var changed = file
                for byte in 0..<8 { changed[newest + field + byte] = UInt8(truncatingIfNeeded: page >> (8 * byte)) }
                let copy = try TemporaryFolder()
                try Program.run(["mkdir", copy.path + "/log"])
                try copy.file("log/log.mdb", changed)
                let outcome = FlipSubject.read(copy, subject.expected)
                outcomes.add("\(field)", outcome.name)
                #expect(outcome == .typed, "root at \(field) is page \(page): \(outcome.name)")
            }
        }
        #expect(outcomes.count("typed error") > 20)
    }

    @Test(.enabled(if: isSoak)) func `processes that read and write logs with flipped bits`() throws {
        var reading = OutcomeTable("reading, seed \(seed)")
        var writing = OutcomeTable("writing, then reading")
        var verifying = OutcomeTable("topics verify")
        for place in FlipPlace.allCases {
            for flip in subject.map.flips(place, count: flips, seed: seed) {
                let copy = try subject.copy()
                try flip.apply(to: copy.path + "/log/log.mdb")
                let read = try subject.run("read", copy)
                reading.add(place.rawValue, read.name)
                #expect(read.isAllowed, "\(place.rawValue), \(flip): read: \(read.name)")
                let found = try subject.run("verify", copy)
                verifying.add(place.rawValue, found == .right ? "sound" : found.name)
                #expect(found.isAllowed && (read == .right || found != .right), "\(flip): verify: \(found.name)")
                var wrote = try subject.run("append", copy)
                if wrote == .right { wrote = try subject.run("read", copy, appended: true) }
                writing.add(place.rawValue, wrote.name)
                #expect(wrote.isAllowed, "\(place.rawValue), \(flip): write: \(wrote.name)")
            }
        }
        print("\(reading)\n\n\(verifying)\n\n\(writing)")
    }
}

/// A log with trees of several levels, values of all sizes, compacted topics and free pages; and what reading it gives.
final class FlipSubject {
    enum Outcome: Equatable {
        case right
        case typed
        case wrong(String)
        case signal(Int32)
        case hang

        var name: String {
            switch self {
            case .right: "right"
            case .typed: "typed error"
            case .wrong: "wrong"
            case .signal: "signal"
            case .hang: "hang"
            }
        }

        var isAllowed: Bool { self == .right || self == .typed }
    }

    let folder: TemporaryFolder
    let map: LMDBFileMap
    private(set) var expected: [String] = []
    private var expectedOfProcess = ""
    private var expectedAfterAppend = ""

    var path: String { folder.path + "/log/log.mdb" }

    init() throws {
        folder = try TemporaryFolder()
        let log = try openLog(folder) { $0.batchBytes = 20_000 }
        let kept = ["retention.ms": "-1"]
        let compacted = ["cleanup.policy": "compact"]
        try log.createTopics([
            TopicSpecification("small", partitions: 2, settings: kept), TopicSpecification("large", settings: kept),
            TopicSpecification("gone"), TopicSpecification("compacted", settings: compacted),
            TopicSpecification("empty"), TopicSpecification("cut", settings: kept),
            TopicSpecification("in", partitions: 20, settings: kept),
        ])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test", transactionalID: "tx"))
        let group = try log.joinGroup(GroupConfiguration(group: "g", clientID: "c", tasks: 1))
        let small = try producer.number(ofTopic: "small")
        let keyed = try producer.number(ofTopic: "compacted")
        // One batch in each commit, that lies in a leaf.
        for index in 0..<700 {
            try producer.beginTransaction()
            try producer.send(TestRecord("key \(index)", "value \(index)"), to: small, Int32(index % 2))
            try producer.send(TestRecord("key \(index % 40)", "value \(index)"), to: keyed)
            _ = try producer.commitTransaction(
                offsets: [TopicPartition("in", Int32(index % 20)): CommittedOffset(Int64(index))], group: group)
        }
        let long = (0..<300).map { TestRecord("k\($0)", String(repeating: "\($0 % 10)", count: 1000)) }
        for topic in ["large", "gone", "cut"] { try log.write(long, to: topic) }
        try log.deleteTopics(["gone"])
        try log.deleteRecords(before: [TopicPartition("cut", 0): 137])
        try log.performMaintenance()
        group.leave()
        log.close()
        map = try LMDBFileMap(folder.path + "/log/log.mdb")
        expected = try Self.lines(openLog(folder))
        #expect(expected.count > 1200)
        for place in FlipPlace.allCases { #expect(!map.bytes(place).isEmpty, "\(place)") }
    }

    private static func sum(_ bytes: [UInt8]?) -> UInt64 {
        guard let bytes else { return 0 }
        return checksum64(unsafe bytes.span.bytes)
    }

    /// Everything that reading gives, a line a record.
    static func lines(_ log: EmbeddedLog) throws -> [String] {
        var lines: [String] = []
        for topic in try log.topics().sorted(by: { $0.name < $1.name }) {
            lines.append("\(topic)")
            for partition in 0..<topic.partitions {
                lines += try log.read(topic.name, partition).map { record in
                    "\(record.offset) \(sum(record.key))"
                        + " \(sum(record.value))"
                }
            }
        }
        lines += try log.committedOffsets(group: "g").map { "\($0.key) \($0.value.offset)" }.sorted()
        lines.append("\(try log.lastCommit()) \(try log.lastCommit(transactionalID: "tx"))")
        log.close()
        return lines
    }

    /// Reads in this process.
    func read() -> Outcome { Self.read(folder, expected) }

    static func read(_ folder: TemporaryFolder, _ expected: [String]) -> Outcome {
        do {
            let lines = try Self.lines(openLog(folder))
            return lines == expected ? .right : .wrong("\(lines.count) lines")
        } catch {
            return error is LogError ? .typed : .wrong("\(error)")
        }
    }

    /// A copy of the log.
    func copy() throws -> TemporaryFolder {
        let copy = try TemporaryFolder()
        try Program.run(["mkdir", copy.path + "/log"])
        try copy.file("log/log.mdb", contents(path))
        return copy
    }

    /// Lets a process of its own work on a copy.
    func run(_ role: String, _ copy: TemporaryFolder, appended: Bool = false) throws -> Outcome {
        if expectedOfProcess.isEmpty {
            let sound = try self.copy()
            expectedOfProcess = try output("read", sound).text
            _ = try output("append", sound)
            expectedAfterAppend = try output("read", sound).text
        }
        let (ending, text) = try output(role, copy)
        switch ending {
        case nil: return .hang
        case 0?:
            if role == "append" || role == "verify" { return .right }
            return text == (appended ? expectedAfterAppend : expectedOfProcess) ? .right : .wrong(text)
        case 1?: return .typed
        case let code?: return .signal(code)
        }
    }

    private func output(_ role: String, _ folder: TemporaryFolder) throws -> (ending: Int32?, text: String) {
        let program = try Program([Program.own("log-test-process"), role, folder.path + "/log"])
        let end = MonotonicClock.nanoseconds + 30_000_000_000
        var text = ""
        while true {
            let left = (end - MonotonicClock.nanoseconds) / 1_000_000
            if left <= 0 { return (nil, text) }
            let more = program.read(milliseconds: Int(left))
            if more.isEmpty && MonotonicClock.nanoseconds < end { return (program.wait(), text) }
            text += more
        }
    }
}
