import CrashApplication
import TestSupport
import Testing
import Tributary
import TributaryLMDB

private let isSoak = environment("TRIBUTARY_SOAK") != nil

/// Whose writes fail.
enum FaultPlace: String, CaseIterable, Sendable {
    case logWrites, logCommits, stateWrites, stateCommits
}

@Suite(.serialized, .timeLimit(.minutes(isSoak ? 60 : 10))) struct DiskFullTests {
    /// Which writes fail: each of the first, later ones in steps.
    private var numbers: [Int] { isSoak ? Array(1...400) : Array(1...12) + stride(from: 13, through: 160, by: 21) }

    @Test(arguments: FaultPlace.allCases, [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `a full disk at any write stops the application with a typed error and loses nothing`(
        _ place: FaultPlace, _ guarantee: ProcessingGuarantee
    ) async throws {
        let bank = try Bank(guarantee, comment: "\(place.rawValue), \(guarantee.rawValue)")
        var stops = 0
        for number in numbers {
            try bank.input.transfer(60)
            switch place {
            case .logWrites: bank.logFaults.failWrite(number)
            case .logCommits: bank.logFaults.failCommit(number)
            case .stateWrites: bank.stateFaults.failWrite(number)
            case .stateCommits: bank.stateFaults.failCommit(number)
            }
            let failure = await bank.run()
            bank.logFaults.clear()
            bank.stateFaults.clear()
            guard let failure else { continue }
            stops += 1
            #expect(isDiskFull(failure), "\(place) \(number): \(failure)")
        }
        #expect(stops > 5)
        await bank.runWell()
        let doubled = try bank.judge.check()
        print("disk full, \(place.rawValue), \(guarantee.rawValue): stopped \(stops) times, \(doubled) doubled")
        bank.close()
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `a small disk that runs full stops the application and loses nothing`(
        _ guarantee: ProcessingGuarantee
    ) async throws {
        let disk: SmallDisk
        do { disk = try SmallDisk(bytes: 16 << 20) } catch let error as SystemFailure {
            try Test.cancel("this process may not mount a file system (\(error.code))")
        }
        let bank = try Bank(guarantee, in: disk.path, comment: "small disk, \(guarantee.rawValue)")
        var stops = 0
        for round in 0..<(isSoak ? 200 : 30) {
            try bank.input.transfer(200)
            try disk.fill(leaving: round * (round % 2 == 0 ? 4096 : 28 << 10))
            if let failure = await bank.run() {
                stops += 1
                #expect(isDiskFull(failure), "\(round): \(failure)")
            }
            disk.empty()
        }
        await bank.runWell()
        let doubled = try bank.judge.check()
        print("small disk, \(guarantee.rawValue): stopped \(stops) times, \(doubled) doubled")
        #expect(stops > 3)
        bank.close()
    }
}

/// Whether an error is that of a full disk, however deep.
func isDiskFull(_ error: any Error) -> Bool {
    switch error {
    case let error as LogError: error.code == .diskFull
    case let error as StoreError: error.code == .diskFull
    case let error as TaskFailure: isDiskFull(error.cause)
    default: false
    }
}
