import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

private let isSoak = environment("TRIBUTARY_SOAK") != nil

@Suite(.serialized, .timeLimit(.minutes(isSoak ? 60 : 10))) struct FullDiskProcessesTests {
    /// What one process said of its commits.
    private struct Said {
        var rest = ""
        var written: [Int64: Int64] = [:]
        var failed: Set<Int64> = []

        mutating func take(_ text: String) throws {
            var lines = (rest + text).split(separator: "\n", omittingEmptySubsequences: false)
            rest = String(lines.removeLast())
            for line in lines {
                let words = line.split(separator: " ")
                switch words.first {
                case "+" where words.count == 3: written[Int64(words[1]) ?? -1] = Int64(words[2])
                case "-" where words.count == 2: failed.insert(Int64(words[1]) ?? -1)
                default: throw TestFailure("a producer said: \(line)")
                }
            }
        }
    }

    @Test func `five processes on a disk that runs full know which of their commits happened`() throws {
        let disk: SmallDisk
        do { disk = try SmallDisk(bytes: 48 << 20) } catch let error as SystemFailure {
            try Test.cancel("this process may not mount a file system (\(error.code))")
        }
        var configuration = EmbeddedLogConfiguration()
        configuration.mapSize = 1 << 30
        configuration.maintenanceInterval = .zero
        configuration.diskReserveBytes = 0
        let log = try EmbeddedLog.open(at: disk.path + "/log", configuration: configuration)
        try log.createTopics([
            TopicSpecification("t", settings: ["retention.ms": "-1"]),
            TopicSpecification("ballast", settings: ["retention.ms": "-1"]),
        ])
        let program = try Program.own("log-test-process")
        let children = try (0..<5).map { _ in try Program([program, "produce", disk.path + "/log"]) }
        var said = [Said](repeating: Said(), count: children.count)
        for (index, child) in children.enumerated() {
            let text = child.read(milliseconds: 60_000)
            #expect(text.hasPrefix("ready\n"))
            try said[index].take(String(text.dropFirst(6)))
        }
        let end = MonotonicClock.milliseconds + (isSoak ? 120_000 : 2500)
        var round = 0
        while MonotonicClock.milliseconds < end {
            if round % 8 == 4 { try disk.fill(leaving: (round * 37 % 64) << 12) }
            if round % 8 == 0 { disk.empty() }
            for (index, child) in children.enumerated() { try said[index].take(child.read(milliseconds: 5)) }
            round += 1
        }
        for (index, child) in children.enumerated() {
            child.signal(9)
            try said[index].take(child.readToEnd())
        }
        disk.empty()
        try judge(log, said, children.map(\.id))
        log.close()
    }

    private func judge(_ log: EmbeddedLog, _ said: [Said], _ processes: [Int32]) throws {
        var found: [Int32: [Int64: Int]] = [:]
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "judge"))
        _ = try consumer.assign(TopicPartition("t", 0), from: 0)
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                guard let value = batch.value(index), let process = value.integer(at: 0, as: Int32.self),
                    let number = value.integer(at: 4, as: Int64.self)
                else { throw TestFailure("a record of another kind at \(batch.offset(index))") }
                found[process, default: [:]][number, default: 0] += 1
            }
        }
        var commits: [Int64] = []
        var missing = 0
        var ghosts = 0
        var doubled = 0
        var failed = 0
        for (process, said) in zip(processes, said) {
            let present = found[process] ?? [:]
            missing += said.written.keys.count { present[$0] == nil }
            ghosts += said.failed.count { present[$0] != nil }
            doubled += present.values.count { $0 > 1 }
            failed += said.failed.count
            commits += said.written.values
        }
        let twice = commits.count - Set(commits).count
        print(
            "five processes on a full disk: \(commits.count) commits acknowledged, \(failed) refused; acknowledged and missing "
                + "\(missing), refused and there \(ghosts), doubled \(doubled), ids given twice \(twice)")
        #expect(missing == 0 && ghosts == 0 && doubled == 0 && twice == 0)
        #expect(failed > 10 && commits.count > 100)
    }
}
