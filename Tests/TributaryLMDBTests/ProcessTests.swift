import Glibc
import Testing
import TributaryCore
import TributaryLMDB

/// A child process that has said it is ready.
private final class Child {
    private(set) var id: pid_t = 0
    private let output: Int32

    init(_ role: String, _ folder: String) throws {
        var program = [UInt8](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &program, program.count)
        guard count > 0 else { throw POSIXFailure(code: errno) }
        // The tests' own program lies beside the child's; the runner of `swift test` may be another.
        var folders = [String(decoding: program.prefix(count), as: UTF8.self)]
        for argument in CommandLine.arguments where argument.contains(".xctest") { folders.append(argument) }
        let candidates = folders.map { $0.split(separator: "/").dropLast().map { "/" + $0 }.joined() }
            .flatMap { [$0, $0.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()] }
        guard let path = candidates.map({ $0 + "/log-test-process" }).first(where: { unsafe access($0, X_OK) == 0 })
        else { throw POSIXFailure(code: ENOENT) }
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw POSIXFailure(code: errno) }
        output = ends[0]
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        unsafe posix_spawn_file_actions_addclose(&actions, ends[0])
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe [strdup(path), strdup(role), strdup(folder), nil]
        defer { for index in 0..<3 { unsafe free(words[index]) } }
        let status = unsafe posix_spawn(&id, path, &actions, nil, &words, environ)
        close(ends[1])
        guard status == 0 else { throw POSIXFailure(code: status) }
        var line = [UInt8](repeating: 0, count: 512)
        let read = unsafe read(output, &line, line.count)
        guard read == 6 else {
            kill()
            Issue.record("the child said: \(String(decoding: line.prefix(max(read, 0)), as: UTF8.self))")
            throw POSIXFailure(code: ECHILD)
        }
    }

    /// Ends it at once, whatever it does.
    func kill() {
        guard id != 0 else { return }
        _ = Glibc.kill(id, SIGKILL)
        var status: Int32 = 0
        _ = unsafe waitpid(id, &status, 0)
        id = 0
    }

    deinit {
        kill()
        close(output)
    }
}

private func now() -> Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

@Suite(.timeLimit(.minutes(2)), .serialized) struct ProcessTests {
    @Test func `a group held by another process is in use, and free when that is killed`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        let child = try Child("join", folder.path + "/log")
        do {
            _ = try log.joinGroup(GroupConfiguration(group: "app", clientID: "c", tasks: 1))
            Issue.record("no failure")
        } catch {
            #expect(error.code == .inUse && error.message.contains("\(child.id)"))
        }
        child.kill()
        _ = try log.joinGroup(GroupConfiguration(group: "app", clientID: "c", tasks: 1))
    }

    @Test func `a reader in another process is woken soon after a commit`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("ask"), TopicSpecification("answer")])
        let child = try Child("stamp", folder.path + "/log")
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "c", transactionalID: "tx"))
        let ask = try producer.number(ofTopic: "ask")
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        _ = try consumer.assign(TopicPartition("answer", 0), from: 0)
        var delays: [Int64] = []
        for round in 0..<50 {
            try producer.beginTransaction()
            try producer.send(TestRecord("k", "\(round)"), to: ask)
            _ = try producer.commitTransaction(offsets: [:], group: nil)
            let committed = now()
            let batch = try #require(try consumer.poll(timeout: 20_000))
            #expect(batch.count == 1)
            delays.append((batch.value(0)?.integer(at: 0, as: Int64.self) ?? 0) - committed)
        }
        delays.sort()
        // Far from the second after which a reader looks by itself; the usual is well below a millisecond.
        #expect(delays[25] < 20_000_000, "median \(delays[25]) ns, worst \(delays[49]) ns")
        print("woken after \(delays[25]) ns (median), \(delays[45]) ns (p90), \(delays[49]) ns (worst)")
        child.kill()
    }

    @Test(arguments: ["count", "clean"]) func `a process killed at any time leaves whole transactions`(_ role: String)
        throws
    {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        let settings = ["cleanup.policy": role == "clean" ? "compact" : "delete", "min.cleanable.dirty.ratio": "0.01"]
        try log.createTopics([TopicSpecification("t", partitions: 2, settings: settings)])
        let place = TopicPartition("in", 0)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
        var last: Int64 = 0
        for round in 0..<8 {
            let child = try Child(role, folder.path + "/log")
            // Reads on until the child has got somewhere, and kills it in the middle of things.
            let start = try log.watermarks(TopicPartition("t", 0), committed: true).high
            let assignment = try consumer.assign(TopicPartition("t", 0), from: start)
            var seen = 0
            while seen < 100 * (round + 1), let batch = try consumer.poll(timeout: 20_000) { seen += batch.count }
            child.kill()
            consumer.unassign(assignment)
            let offset = try #require(try log.committedOffsets(group: "app")[place]?.offset)
            #expect(offset > last)
            last = offset
            for partition: Int32 in 0...1 {
                let ends = try log.watermarks(TopicPartition("t", partition), committed: true)
                #expect(ends == Watermarks(low: 0, high: offset * 5))
                let newest = try #require(try log.read("t", partition).last?.value)
                #expect(unsafe newest.span.bytes.integer(at: 0, as: Int64.self) == offset - 1)
            }
            #expect(try log.verify().isEmpty)
        }
    }
}
