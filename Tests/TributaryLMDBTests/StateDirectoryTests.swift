import Foundation
import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryState

@testable import TributaryLMDB

/// State that is deleted while others want it.
@Suite struct StateDirectoryTests {
    private func makeTask(_ directory: String) throws {
        try FileManager.default.createDirectory(atPath: "\(directory)/0_0", withIntermediateDirectories: true)
        #expect(FileManager.default.createFile(atPath: "\(directory)/0_0/state.mdb", contents: Data([1])))
    }

    @Test func `all is deleted, with the folder, and nothing where there is none`() throws {
        let folder = try TemporaryFolder()
        let directory = "\(folder.path)/app"
        try StateDirectory.delete(directory)
        try makeTask(directory)
        try StateDirectory.delete(directory)
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test func `nothing is deleted of what an application has open`() throws {
        let folder = try TemporaryFolder()
        let directory = "\(folder.path)/app"
        try makeTask(directory)
        let lock = try StateDirectoryLock(directory: directory)
        let error = #expect(throws: StoreError.self) { try StateDirectory.delete(directory) }
        #expect(error?.code == .inUse && error?.message.contains("this process (") == true)
        #expect(FileManager.default.fileExists(atPath: "\(directory)/0_0/state.mdb"))
        withExtendedLifetime(lock) {}
    }

    @Test(.timeLimit(.minutes(10)))
    func `one at a time has the lock, however often its folder is deleted under those who want it`() async throws {
        let folder = try TemporaryFolder()
        let directory = "\(folder.path)/app"
        let holders = Guarded(0)
        let held = Guarded(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for _ in 0..<400 {
                        do throws(StoreError) {
                            let lock = try StateDirectoryLock(directory: directory)
                            let isAlone = holders.withLock { count in
                                count += 1
                                return count == 1
                            }
                            #expect(isAlone)
                            held.withLock { $0 += 1 }
                            holders.withLock { $0 -= 1 }
                            withExtendedLifetime(lock) {}
                        } catch {
                            #expect(error.code == .inUse, "\(error)")
                        }
                        await Task.yield()
                    }
                }
            }
            group.addTask {
                for _ in 0..<400 {
                    do throws(StoreError) { try StateDirectory.delete(directory) } catch {
                        #expect(error.code == .inUse, "\(error)")
                    }
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
        #expect(held.withLock { $0 } > 0)
    }
}
