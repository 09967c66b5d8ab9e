import CrashApplication
import Glibc
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

private let isSoak = environment("TRIBUTARY_SOAK") != nil

/// How many kills, from `TRIBUTARY_KILLS`; else 5, or 100 in a soak.
private var kills: Int { environment("TRIBUTARY_KILLS").flatMap { Int($0) } ?? (isSoak ? 100 : 5) }

private var seed: UInt64 {
    environment("TRIBUTARY_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
}

/// The operators that neither the bank app nor the shop app has, killed as those are.
@Suite(.serialized, .timeLimit(.minutes(isSoak ? 60 : 10))) struct DepotTests {
    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `calls, duplicates, throttles, latest values, times to live and ranks survive kills at random points`(
        _ guarantee: ProcessingGuarantee
    ) throws {
        let run = try DepotRun(guarantee, seed: seed)
        try run.begin()
        for number in 0..<kills { try run.kill(number) }
        try run.finish()
    }
}

/// The depot app on one log, killed again and again.
private final class DepotRun {
    private let guarantee: ProcessingGuarantee
    private let seed: UInt64
    private let folder: TemporaryFolder
    private let log: EmbeddedLog
    private let input: DepotInput
    private let judge: DepotJudge
    private var random: SeededGenerator
    private var points: [String: Int] = [:]

    private var comment: Comment { judge.comment }

    init(_ guarantee: ProcessingGuarantee, seed: UInt64) throws {
        self.guarantee = guarantee
        self.seed = seed
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path + "/log", configuration: BankApplication.logConfiguration)
        try log.createTopics(DepotApplication.topics)
        random = SeededGenerator(seed: seed)
        input = try DepotInput(log, seed: seed)
        judge = DepotJudge(
            guarantee: guarantee, log: log, input: input, comment: "\(guarantee.rawValue), TRIBUTARY_SEED=\(seed)")
    }

    deinit {
        input.end()
        log.close()
    }

    private func start() throws -> Program {
        try Program(
            [
                Program.own("tributary-crash-child"), folder.path + "/log", guarantee.rawValue,
                "\(1 + random.next() % 3)",
            ], environment: ["TRIBUTARY_CRASH_APP": DepotApplication.id])
    }

    private func pause(upTo milliseconds: UInt64) { usleep(UInt32(random.next() % (milliseconds * 1000))) }

    func begin() throws {
        try input.prepare()
        try stopWhenDone(try start())
    }

    /// Starts the application and kills it: some time after its start, in full work, or in its shutdown.
    func kill(_ number: Int) throws {
        try input.work(Int(random.next() % 600))
        if random.next() % 4 == 0,
            rename("\(folder.path)/log/state/\(DepotApplication.id)", "\(folder.path)/lost-\(number)") == 0
        {
            points["with the state lost", default: 0] += 1
        }
        let child = try start()
        let point = random.next() % 4
        if point == 0 {
            points["during start", default: 0] += 1
            pause(upTo: 250)
        } else {
            let said = child.read(milliseconds: 30_000)
            try #require(said == "running\n", "\(said) \(comment)")
            for _ in 0..<(random.next() % 4) {
                try input.work(Int(random.next() % 400))
                pause(upTo: 60)
            }
            pause(upTo: 60)
            points[point == 1 ? "in shutdown" : "in work", default: 0] += 1
            if point == 1 {
                child.signal(SIGTERM)
                pause(upTo: 30)
            }
        }
        child.signal(SIGKILL)
        let status = child.wait()
        if try !judge.lag().isEmpty { points["with work left", default: 0] += 1 }
        #expect(status == -SIGKILL || (point == 1 && status == 0), "ended by itself: \(status) \(comment)")
    }

    private func stopWhenDone(_ child: Program) throws {
        var last: [TopicPartition: Int64] = [:]
        var waited = 0
        while true {
            let lag = try judge.lag()
            if lag.isEmpty { break }
            waited = lag == last ? waited + 1 : 0
            last = lag
            try #require(waited < 2000, "the application does not get on: \(lag) \(comment)")
            usleep(10_000)
        }
        child.signal(SIGTERM)
        #expect(child.wait() == 0, comment)
    }

    /// Lets the application do what is left, and judges.
    func finish() throws {
        try input.work(300)
        try stopWhenDone(try start())
        let doubled = try judge.check()
        print(
            "\(guarantee.rawValue): \(input.sent) parcels, \(doubled) doubled, kills \(points), TRIBUTARY_SEED=\(seed)")
    }
}
